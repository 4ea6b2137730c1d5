"""What the site says of itself, on its way to the disk.

Beside the cycle, never in it: a disk that is full, read-only or hangs holds up no decision. Readings that cannot be
stored are gone with the next poll anyway; events wait until they can, the newest of them. The trouble itself is told
past the disk.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from agent.site.devices.image import ProcessImage
from agent.site.safety.verdict import AlarmKey
from agent.site.telemetry.live import Live
from agent.site.telemetry.surroundings import Surroundings
from shared.clock import Clock
from shared.errors import StorageError
from shared.log import get_logger
from shared.states import Severity
from shared.wire.event import Event, EventBatch
from shared.wire.record import RecordKind
from shared.wire.telemetry import HostSample, TelemetryBatch

STORAGE_FAILED = "storage.failed"
SPOOL = "spool"
HANGS_AFTER_S = 10.0
HOST_EVERY = 10
EVENTS_KEPT = 2_000

log = get_logger("agent.telling")


class Telling:
    """Knows which parts of the storage fail now, and told so once each."""

    def __init__(self, live: Live, around: Surroundings, clock: Clock) -> None:
        self._live = live
        self._around = around
        self._clock = clock
        self._waiting: tuple[Event, ...] = ()
        self._unshouted: tuple[Event, ...] = ()
        self._failing: set[str] = set()
        self._sound: set[str] = set()
        self._clock_quality = 0
        self._task: asyncio.Task[None] | None = None
        self._began_s = 0.0

    def add(self, *events: Event) -> None:
        """Send these with the next image."""
        self._waiting = (*self._waiting, *events)[-EVENTS_KEPT:]

    def offer(self, image: ProcessImage, cycle_ms: float) -> None:
        """Begin to tell what was read up to this image. While the disk still works on the last one, readings wait; of
        one that hangs nothing is expected any more, and only the live view is told.
        """
        if self._unshouted and self._around.urgent(EventBatch(events=self._unshouted)):
            self._unshouted = ()
        if self._task is None or self._task.done():
            self._began_s = self._clock.monotonic_s()
            self._task = asyncio.create_task(self._tell(image, cycle_ms))
        elif self._clock.monotonic_s() - self._began_s >= HANGS_AFTER_S:
            self.failed(SPOOL, f"the disk has not answered for {HANGS_AFTER_S:.0f} s")
            self._around.latest(self._batch(image, None))

    async def finished(self) -> None:
        """What was offered last has been told, or could not be."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self.finished()

    def failed(self, part: str, detail: str) -> None:
        """Raise the alarm, once, also past the disk."""
        if part not in self._failing:
            self._failing.add(part)
            log.warning("storage.failed", part=part, detail=detail)
            event = self._alarm(part, f"{detail}; what is read now is not kept", active=True)
            self._unshouted = (*self._unshouted, event)

    def recovered(self, part: str) -> None:
        """Clear it; the first time also what an earlier life of this agent may have told past the disk."""
        if part in self._failing or part not in self._sound:
            self._failing.discard(part)
            self._sound.add(part)
            self._alarm(part, "stores again", active=False)

    def _alarm(self, part: str, text: str, *, active: bool) -> Event:
        event = Event(self._clock.now_ms(), STORAGE_FAILED, part, Severity.P2, text, active)
        self.add(event)
        return event

    async def _tell(self, image: ProcessImage, cycle_ms: float) -> None:
        try:
            host = await self._around.host(image, cycle_ms) if image.cycle % HOST_EVERY == 1 else None
        except (StorageError, OSError):
            host = None  # its figures of the outbox are missing; that it fails shows below
        batch = self._batch(image, host)
        try:
            await self._store(batch)
        except (StorageError, OSError) as error:
            self.failed(SPOOL, str(error))
        self._around.latest(batch)

    async def _store(self, batch: TelemetryBatch) -> None:
        """The inventory first: it introduces the devices whose readings follow."""
        inventory = self._around.inventory()
        if inventory is not None:
            await self._around.store(RecordKind.INVENTORY, inventory, len(inventory.devices))
            self._around.inventory_told(inventory)
        if batch.sample_count():
            await self._around.store(RecordKind.TELEMETRY, batch, batch.sample_count())
            self.recovered(SPOOL)
        events = self._waiting
        if events:
            raised, ended = _standing(events)
            await self._remember(raised, ())  # before it is told: an alarm that nobody remembers would never end
            await self._around.store(RecordKind.EVENT, EventBatch(events=events), len(events))
            await self._remember({}, ended)
            self._waiting = tuple(event for event in self._waiting if event not in events)

    async def _remember(self, raised: Mapping[AlarmKey, str], ended: Collection[AlarmKey]) -> None:
        """A ledger that fails keeps no event from being told."""
        if raised or ended:
            with suppress(StorageError):
                await self._around.keep_standing(raised, ended)

    def _batch(self, image: ProcessImage, host: HostSample | None) -> TelemetryBatch:
        miners, boards, meters, outlets = self._live.take_tables()
        if host is not None:
            self._clock_quality = host.clock_quality
        return TelemetryBatch(
            cycle=image.cycle,
            sampled_at_ms=image.sampled_at_ms,
            monotonic_s=image.sampled_s,
            boot_id=self._around.boot_id,
            clock_quality=self._clock_quality,
            miners=miners,
            boards=boards,
            meters=meters,
            outlets=outlets,
            host=host,
        )


def _standing(events: Sequence[Event]) -> tuple[dict[AlarmKey, str], list[AlarmKey]]:
    """What stands after these events, with its text, and what does not any more. A notice never stands."""
    latest = {(event.code, event.subject): event for event in events if event.severity != Severity.NOTICE}
    raised = {key: event.text for key, event in latest.items() if event.active}
    return raised, [key for key, event in latest.items() if not event.active]
