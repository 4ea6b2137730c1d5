"""Asks each device in its turn, many at once, none for longer than its deadline.

A device that hangs costs one of `in_flight` places for one deadline; its breaker sees to it that this stays rare.
"""

import asyncio
import random
from contextlib import suppress

from agent.site.devices.ports import Meter, Miner, Pdu
from agent.site.roster import Known, Roster
from agent.site.telemetry.live import Live
from agent.site.telemetry.schedule import Periods, Schedule
from shared.clock import Clock, Instant, instant
from shared.errors import AuthFailed, BesError, DeviceError, DeviceTimeout, IdentityChanged, Unreachable
from shared.log import get_logger
from shared.states import Reach

POLL_DEADLINE_S = 10.0

_REACHES = {
    DeviceTimeout: Reach.TIMEOUT,
    TimeoutError: Reach.TIMEOUT,
    Unreachable: Reach.REFUSED,
    AuthFailed: Reach.AUTH,
    IdentityChanged: Reach.OTHER,
}

log = get_logger("agent.poller")


class Poller:
    """`polls` and `failures` count since the start."""

    def __init__(self, roster: Roster, live: Live, clock: Clock, periods: Periods, *, in_flight: int = 128) -> None:
        self._roster = roster
        self._live = live
        self._clock = clock
        self._schedule = Schedule(periods, random.Random())  # jitter only
        self._free = in_flight
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.polls = 0
        self.failures = 0

    def add(self, device_id: str) -> None:
        """Poll this member of the roster from now on; meters are few and prove what all others do: often."""
        always_hot = device_id in self._roster.meters
        self._schedule.add(device_id, self._clock.monotonic_s(), always_hot=always_hot)
        self._wake.set()

    def heat(self, device_id: str) -> None:
        """Something was ordered of it: look often for a while."""
        self._schedule.heat(device_id, self._clock.monotonic_s())
        self._wake.set()

    async def run(self) -> None:
        try:
            while True:
                self._wake.clear()
                now_s = self._clock.monotonic_s()
                for device_id, full in self._schedule.take_due(now_s, self._free):
                    self._start(device_id, full)
                due_s = self._schedule.next_due_s() if self._free else None
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if due_s is None else max(due_s - self._clock.monotonic_s(), 0)):
                        await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, device_id: str, full: bool) -> None:
        self._free -= 1
        task = asyncio.create_task(self._turn(device_id, full))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free += 1
        self._wake.set()

    async def _turn(self, device_id: str, full: bool) -> None:
        reached = False
        try:
            reached = await self._poll(device_id, full)
        except asyncio.CancelledError:
            self._schedule.interrupted(device_id, self._clock.monotonic_s())
            raise
        except Exception:
            # A driver's bug must not take its device out of the round for ever.
            log.exception("poll.bug", device=device_id)
            self._failed(device_id)
        self.polls += 1
        self.failures += not reached
        self._schedule.done(device_id, self._clock.monotonic_s(), reached=reached, full=full)

    def _failed(self, device_id: str) -> None:
        """What it answered cannot be understood here."""
        now_ms = self._clock.now_ms()
        if (miner := self._roster.miners.get(device_id)) is not None:
            self._live.miner_failed(miner, now_ms, Reach.MALFORMED)
        elif (meter := self._roster.meters.get(device_id)) is not None:
            self._live.meter_failed(meter, now_ms, Reach.MALFORMED)
        elif (pdu := self._roster.pdus.get(device_id)) is not None:
            self._live.pdu_failed(pdu, now_ms, Reach.MALFORMED)

    async def _poll(self, device_id: str, full: bool) -> bool:
        if (miner := self._roster.miners.get(device_id)) is not None:
            return await self._poll_miner(miner, full)
        if (meter := self._roster.meters.get(device_id)) is not None:
            return await self._poll_meter(meter)
        return await self._poll_pdu(self._roster.pdus[device_id])

    async def _poll_miner(self, known: Known[Miner], full: bool) -> bool:
        try:
            async with known.line.for_poll(), asyncio.timeout(POLL_DEADLINE_S):
                reading = await (known.driver.read_full() if full else known.driver.read_hot())
                if full and reading.mac is not None and known.record.mac and reading.mac != known.record.mac:
                    raise IdentityChanged(f"{known.record.address} answers as {reading.mac}, not as {known.record.mac}")
        except (DeviceError, TimeoutError) as error:
            self._live.miner_failed(known, self._clock.now_ms(), reach_of(error))
            return False
        self._live.miner_read(known, instant(self._clock), reading)
        return True

    async def _poll_meter(self, known: Known[Meter]) -> bool:
        started_s = self._clock.monotonic_s()
        try:
            async with known.line.for_poll(), asyncio.timeout(POLL_DEADLINE_S):
                reading = await known.driver.read()
        except (DeviceError, TimeoutError) as error:
            self._live.meter_failed(known, self._clock.now_ms(), reach_of(error))
            return False
        # A register is as old as the middle of the exchange that brought it (reference: gateway scheduling).
        self._live.meter_read(known, _middle(started_s, instant(self._clock)), reading)
        return True

    async def _poll_pdu(self, known: Known[Pdu]) -> bool:
        try:
            async with known.line.for_poll(), asyncio.timeout(POLL_DEADLINE_S):
                began = instant(self._clock)
                reading = await known.driver.read()
        except (DeviceError, TimeoutError) as error:
            self._live.pdu_failed(known, self._clock.now_ms(), reach_of(error))
            return False
        self._live.pdu_read(known, began, reading)
        return True


def _middle(started_s: float, ended: Instant) -> Instant:
    half_s = (ended.monotonic_s - started_s) / 2
    return Instant(ended.wall_ms - round(half_s * 1000), ended.monotonic_s - half_s)


def reach_of(error: BesError | TimeoutError) -> Reach:
    """How an attempt ended, from its error."""
    for kind, reach in _REACHES.items():
        if isinstance(error, kind):
            return reach
    return Reach.MALFORMED
