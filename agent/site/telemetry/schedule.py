"""Who is asked next.

Three tiers: hot (just ordered or not as ordered), warm (the normal round), cold (its breaker is open). Deadlines, not
intervals: the next time follows from when a poll was due, so that a late one does not push all later ones; a device
that fell behind by more than a period skips what it missed.
"""

import heapq
import math
import random
from collections.abc import Iterator

import msgspec

from agent.site.telemetry.breaker import Breaker


class Periods(msgspec.Struct, frozen=True):
    """Seconds between polls by tier; every `full_every_s` a warm poll reads everything."""

    hot_s: float = 1.0
    warm_s: float = 5.0
    full_every_s: float = 60.0
    stay_hot_s: float = 30.0


class Turn:
    """A device in the schedule."""

    __slots__ = ("breaker", "busy", "device_id", "due_s", "full_due_s", "hot_until_s")

    def __init__(self, device_id: str, due_s: float, full_due_s: float, breaker: Breaker) -> None:
        self.device_id = device_id
        self.due_s = due_s
        self.full_due_s = full_due_s
        self.hot_until_s = 0.0
        self.breaker = breaker
        self.busy = False


class Schedule:
    """Turns in the order of their due times. Seconds are monotonic; first polls are spread over one period."""

    def __init__(self, periods: Periods, randomness: random.Random) -> None:
        self._periods = periods
        self._randomness = randomness
        self._turns: dict[str, Turn] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._ticket = 0

    def add(self, device_id: str, now_s: float, *, always_hot: bool = False) -> None:
        """A device that is added again is another line to it: what its breaker learned of the old one is void."""
        known = self._turns.get(device_id)
        if known is not None:
            known.breaker.succeeded()
            known.full_due_s = now_s
            if not known.busy:
                known.due_s = now_s
                self._push(known)
            return
        due_s = now_s + self._randomness.uniform(0, self._periods.warm_s)
        turn = Turn(device_id, due_s, now_s, Breaker(self._randomness))
        turn.hot_until_s = math.inf if always_hot else 0.0
        self._turns[device_id] = turn
        self._push(turn)

    def heat(self, device_id: str, now_s: float) -> None:
        """Ask it often for a while, starting now."""
        turn = self._turns.get(device_id)
        if turn is None:
            return
        turn.hot_until_s = max(turn.hot_until_s, now_s + self._periods.stay_hot_s)
        if turn.due_s > now_s and not turn.busy:
            turn.due_s = now_s
            self._push(turn)

    def next_due_s(self) -> float | None:
        """When the next turn comes; None where there is none."""
        while self._heap:
            due_s, _, device_id = self._heap[0]
            turn = self._turns[device_id]
            if turn.busy or turn.due_s != due_s:
                heapq.heappop(self._heap)  # superseded by a later push
                continue
            return due_s
        return None

    def take_due(self, now_s: float, limit: int) -> Iterator[tuple[str, bool]]:
        """Device ids whose turn it is, with whether to read everything; each stays busy until `done`."""
        while limit > 0 and (due_s := self.next_due_s()) is not None and due_s <= now_s:
            device_id = heapq.heappop(self._heap)[2]
            turn = self._turns[device_id]
            turn.busy = True
            limit -= 1
            yield device_id, turn.full_due_s <= now_s

    def done(self, device_id: str, now_s: float, *, reached: bool, full: bool) -> None:
        """The poll has ended; put it in line again."""
        turn = self._turns[device_id]
        turn.busy = False
        if reached:
            turn.breaker.succeeded()
            if full:
                turn.full_due_s = now_s + self._periods.full_every_s * self._randomness.uniform(0.9, 1.1)
        else:
            turn.breaker.failed(now_s)
        turn.due_s = self._next_due_s(turn, now_s)
        self._push(turn)

    def interrupted(self, device_id: str, now_s: float) -> None:
        """The poll was cut short by an order: nothing is known, try again soon."""
        turn = self._turns[device_id]
        turn.busy = False
        turn.due_s = now_s + self._periods.hot_s
        self._push(turn)

    def _next_due_s(self, turn: Turn, now_s: float) -> float:
        open_until_s = turn.breaker.open_until_s
        if open_until_s is not None:
            return open_until_s
        period_s = self._periods.hot_s if now_s < turn.hot_until_s else self._periods.warm_s
        due_s = turn.due_s + period_s
        return due_s if due_s > now_s else now_s + period_s * self._randomness.uniform(0.5, 1.0)

    def _push(self, turn: Turn) -> None:
        self._ticket += 1
        heapq.heappush(self._heap, (turn.due_s, self._ticket, turn.device_id))
