"""The devices that the site knows now: who they are, how to talk to them, where they stand.

Discovery and the site's file write it; telemetry and commands read it. One conversation at a time with each device:
an order takes the line from a poll that is under way, never from another order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar

from agent.site.devices.image import Rating
from agent.site.devices.ports import Meter, Miner, Pdu
from shared.site import Placement
from shared.wire.event import DeviceRecord

UNKNOWN_MODEL_W = 6_000  # more than any air-cooled miner draws, so that a feeder is never overbooked by ignorance
UNKNOWN_RAMP_S = 600.0  # as long as the slowest family takes

Driver = TypeVar("Driver", Miner, Meter, Pdu)


class Line:
    """The one conversation with a device. `for_poll` may be cancelled by `for_order`."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._poll: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def for_poll(self) -> AsyncIterator[None]:
        async with self._lock:
            self._poll = asyncio.current_task()
            try:
                yield
            finally:
                self._poll = None

    @asynccontextmanager
    async def for_order(self) -> AsyncIterator[None]:
        if self._poll is not None:
            self._poll.cancel()
        async with self._lock:
            yield


class Known(Generic[Driver]):
    """A device with its driver. `record` is what the controller is told of it; `high_factor` what a miner draws in mode
    `high` over mode `normal`, None where it has no such mode.
    """

    def __init__(
        self,
        record: DeviceRecord,
        driver: Driver,
        *,
        placement: Placement | None = None,
        high_factor: float | None = None,
    ) -> None:
        self.record = record
        self.driver: Driver = driver
        self.placement = placement
        self._high_factor = high_factor
        self.line = Line()

    @property
    def device_id(self) -> str:
        return self.record.device_id

    @property
    def rating(self) -> Rating:
        """From its power ladder; a miner without one counts as `UNKNOWN_MODEL_W`. The longest time in which its
        profile expects the effect of an order is that of its ramp.
        """
        within_s = self.record.confirm_within_s
        ramp_s = max(within_s.values(), default=UNKNOWN_RAMP_S)
        return rating_of(self.record.curve, self.record.sleep_w, self._high_factor, ramp_s)


def rating_of(
    curve: Sequence[tuple[int, float]], sleep_w: int, high_factor: float | None, ramp_s: float = UNKNOWN_RAMP_S
) -> Rating:
    """From a power ladder; a model without one counts as `UNKNOWN_MODEL_W`, in whatever mode."""
    if not curve:
        return Rating(UNKNOWN_MODEL_W, sleep_w, ramp_s, known=False)
    max_w = curve[-1][0]
    return Rating(max_w, sleep_w, ramp_s, high_w=None if high_factor is None else round(high_factor * max_w))


class Roster:
    """Miners, meters and PDUs by device id. `on_change` hears of each record that is new or differs."""

    def __init__(self, on_change: Callable[[DeviceRecord], None]) -> None:
        self.miners: dict[str, Known[Miner]] = {}
        self.meters: dict[str, Known[Meter]] = {}
        self.pdus: dict[str, Known[Pdu]] = {}
        self._on_change = on_change
        self._awaited: dict[str, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self.miners) + len(self.meters) + len(self.pdus)

    def records(self) -> Iterator[DeviceRecord]:
        yield from (miner.record for miner in self.miners.values())
        yield from (meter.record for meter in self.meters.values())
        yield from (pdu.record for pdu in self.pdus.values())

    def put_miner(self, known: Known[Miner]) -> Known[Miner] | None:
        """Add or replace; returns the one replaced, whose driver the caller closes."""
        return self._put(self.miners, known)

    def put_meter(self, known: Known[Meter]) -> Known[Meter] | None:
        return self._put(self.meters, known)

    def put_pdu(self, known: Known[Pdu]) -> Known[Pdu] | None:
        return self._put(self.pdus, known)

    def commandable(self, device_id: str) -> Known[Miner] | Known[Pdu] | None:
        """The miner or PDU of that id."""
        return self.miners.get(device_id) or self.pdus.get(device_id)

    async def arrival(self, device_id: str, within_s: float) -> Known[Miner] | Known[Pdu] | None:
        """The same, waiting for discovery to find it; None where it does not in time."""
        if self.commandable(device_id) is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._awaited.setdefault(device_id, asyncio.Event()).wait()
        return self.commandable(device_id)

    async def aclose(self) -> None:
        for miner in self.miners.values():
            await miner.driver.aclose()
        for meter in self.meters.values():
            await meter.driver.aclose()
        for pdu in self.pdus.values():
            await pdu.driver.aclose()

    def _put(self, table: dict[str, Known[Driver]], known: Known[Driver]) -> Known[Driver] | None:
        before = table.get(known.device_id)
        table[known.device_id] = known
        if before is None or before.record != known.record:
            self._on_change(known.record)
        if known.device_id in self._awaited:
            self._awaited.pop(known.device_id).set()
        return before
