"""Whose turn it is on a physical bus: one request in flight, the most urgent next, silent units mostly left alone."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Final

SILENT_AFTER: Final = 2  # requests in a row without an answer
PROBE_SHARE: Final = 0.05  # of the bus's time, for units that did not answer


class Priority(IntEnum):
    """Lower goes first. Within a class the earliest request does, which is the earliest deadline."""

    COMMAND = 0
    FAST = 1
    NORMAL = 2
    SLOW = 3
    PROBE = 4


class Bus:
    """Hands out turns. A command waits for the frame that is on the wire and for nothing else."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()

    @asynccontextmanager
    async def turn(self, priority: Priority) -> AsyncIterator[None]:
        if self._taken:
            await self._wait(priority)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, priority: Priority) -> None:
        mine = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._arrivals), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # the turn had just come to us
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            following = heapq.heappop(self._waiting)[2]
            if not following.done():
                following.set_result(None)  # `_taken` stays true: nobody can slip in between
                return
        self._taken = False


class SilentUnits:
    """Which units do not answer, and how much of the bus's time asking them again may take: `PROBE_SHARE`, together.

    When to ask again is the poller's business; this keeps the answer from costing the healthy units their turns.
    """

    def __init__(self) -> None:
        self._silences: dict[int, int] = {}
        self._next_probe_s = 0.0

    def __contains__(self, unit: int) -> bool:
        return self._silences.get(unit, 0) >= SILENT_AFTER

    def wait_s(self, unit: int, now_s: float) -> float:
        """Seconds until the unit may be asked; 0 where it may be asked now."""
        return max(0.0, self._next_probe_s - now_s) if unit in self else 0.0

    def answered(self, unit: int) -> None:
        self._silences.pop(unit, None)

    def unanswered(self, unit: int, now_s: float, cost_s: float) -> None:
        """`cost_s` is how long the bus waited for nothing."""
        if unit in self:
            self._next_probe_s = now_s + cost_s / PROBE_SHARE
        self._silences[unit] = self._silences.get(unit, 0) + 1
