"""What an energy register showed at each full interval of time, between two readings that lie close together."""

import math

import msgspec

NEAREST_S = 60.0  # two readings further apart do not tell what was between them


class Boundary(msgspec.Struct, frozen=True):
    """`number` times the interval after 1970 the register stood at `counter_wh`, in whole watt-hours."""

    number: int
    counter_wh: int


class Reading(msgspec.Struct, frozen=True):
    at_ms: int
    counter_wh: float


class Crossings:
    """One meter's. A register that goes back was exchanged or reset, and a clock that steps back knows no intervals:
    both begin anew.
    """

    def __init__(self, interval_s: int) -> None:
        self._interval_ms = interval_s * 1000
        self._last: Reading | None = None

    def read(self, at_ms: int, counter_wh: float) -> Boundary | None:
        """The boundary between this reading and the one before it; None where there is none, or nobody knows."""
        now, last = Reading(at_ms, counter_wh), self._last
        if last is not None and now.at_ms == last.at_ms:
            return None
        self._last = now
        if last is None or now.at_ms < last.at_ms or now.counter_wh < last.counter_wh:
            return None
        number = now.at_ms // self._interval_ms
        if number == last.at_ms // self._interval_ms or now.at_ms - last.at_ms > NEAREST_S * 1000:
            return None
        share = (number * self._interval_ms - last.at_ms) / (now.at_ms - last.at_ms)
        return Boundary(number, math.floor(last.counter_wh + share * (now.counter_wh - last.counter_wh)))
