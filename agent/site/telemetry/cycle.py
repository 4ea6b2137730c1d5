"""The site's heartbeat: freeze an image, judge it, act on the judgement, store it.

Reading, deciding and writing never mix: pollers fill `Live` all the time; once a cycle everything is decided on one
frozen image; what must be done leaves through the power door; what was read goes to the spool, durable before the next
cycle counts it as told.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from agent.site.autonomy.plan import Autonomy, PlanWindow
from agent.site.devices.image import ProcessImage
from agent.site.safety import Demand, Interlocks
from agent.site.telemetry.live import Live
from agent.site.telemetry.watch import Watch
from shared.clock import Clock
from shared.errors import StorageError
from shared.log import get_logger
from shared.wire.event import Event, EventBatch, Inventory
from shared.wire.record import RecordKind
from shared.wire.telemetry import HostSample, TelemetryBatch

HOST_EVERY = 10

log = get_logger("agent.cycle")


class Surroundings(msgspec.Struct, frozen=True):
    """What a cycle needs of the node: `store` is done when the record is durable and returns its number."""

    store: Callable[[RecordKind, msgspec.Struct, int], Awaitable[int]]
    obey: Callable[[list[Demand]], Awaitable[None]]
    plan: Callable[[], PlanWindow | None]
    silent_s: Callable[[], float]
    host: Callable[[ProcessImage, float], Awaitable[HostSample]]
    inventory: Callable[[], Inventory | None]
    inventory_told: Callable[[Inventory], None]
    latest: Callable[[TelemetryBatch], None]
    alive: Callable[[str], None]
    boot_id: str


class Cycle:
    """`image` is the last one; `lag_ms` how late the last cycle began, the event loop's own fever."""

    def __init__(
        self,
        live: Live,
        interlocks: Interlocks,
        autonomy: Autonomy,
        surroundings: Surroundings,
        clock: Clock,
        period_s: float,
    ) -> None:
        self._live = live
        self._interlocks = interlocks
        self._autonomy = autonomy
        self._around = surroundings
        self._clock = clock
        self._period_s = period_s
        self._watch = Watch()
        self._untold = EventBatch()
        self._clock_quality = 0
        self.image = live.freeze(0, clock.now_ms())
        self.lag_ms = 0.0

    def tell(self, event: Event) -> None:
        """Send this event with the next cycle."""
        self._untold = EventBatch(events=(*self._untold.events, event))

    async def run(self) -> None:
        due_s = self._clock.monotonic_s()
        number = 0
        while True:
            due_s += self._period_s
            await asyncio.sleep(max(due_s - self._clock.monotonic_s(), 0))
            self.lag_ms = max(self._clock.monotonic_s() - due_s, 0.0) * 1000
            if self.lag_ms > self._period_s * 1000:
                due_s = self._clock.monotonic_s()  # never run after missed cycles
            number += 1
            await self.once(number)

    async def once(self, number: int) -> None:
        """One whole cycle."""
        started_s = self._clock.monotonic_s()
        image = self.image = self._live.freeze(number, self._clock.now_ms())
        judged = self._interlocks.observe(image)
        demands = list(judged.demands)
        demands += self._autonomy.decide(image, self._interlocks.loads(), self._around.plan(), self._around.silent_s())
        await self._around.obey(demands)
        self._untold = EventBatch(events=(*self._untold.events, *self._watch.compare(image, judged.alarms)))
        await self._tell(number, image, (self._clock.monotonic_s() - started_s) * 1000)
        self._around.alive(f"cycle {number}, {len(image.miners)} miners")

    async def _tell(self, number: int, image: ProcessImage, cycle_ms: float) -> None:
        """Readings that cannot be stored are gone with the next poll anyway; events wait until they can."""
        batch = await self._batch(number, image, cycle_ms)
        try:
            await self._tell_inventory()
            if batch.sample_count():
                await self._around.store(RecordKind.TELEMETRY, batch, batch.sample_count())
            if self._untold.events:
                await self._around.store(RecordKind.EVENT, self._untold, len(self._untold.events))
                self._untold = EventBatch()
        except StorageError as error:
            log.warning("cycle.not-stored", code=error.code, detail=error.detail)
        self._around.latest(batch)

    async def _tell_inventory(self) -> None:
        """Before the readings of devices that it introduces."""
        message = self._around.inventory()
        if message is not None:
            await self._around.store(RecordKind.INVENTORY, message, len(message.devices))
            self._around.inventory_told(message)

    async def _batch(self, number: int, image: ProcessImage, cycle_ms: float) -> TelemetryBatch:
        miners, boards, meters, outlets = self._live.take_tables()
        host = await self._around.host(image, cycle_ms) if number % HOST_EVERY == 1 else None
        if host is not None:
            self._clock_quality = host.clock_quality
        return TelemetryBatch(
            cycle=number,
            sampled_at_ms=image.sampled_at_ms,
            monotonic_s=self._clock.monotonic_s(),
            boot_id=self._around.boot_id,
            clock_quality=self._clock_quality,
            miners=miners,
            boards=boards,
            meters=meters,
            outlets=outlets,
            host=host,
        )
