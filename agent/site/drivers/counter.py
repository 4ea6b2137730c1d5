"""Counters only rise. One that went back has run over, was reset, or belongs to another meter."""

from collections.abc import Mapping, Sequence

from agent.site.drivers.measured import NOTHING, Measured
from shared.profiles import Point
from shared.quality import Quality

_NEAR_ITS_END = 0.9


class Counters:
    """Remembers the last value of each monotonic point."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._ends = {point.name: _end(point) for point in points if point.monotonic}
        self._last: dict[str, float] = {}

    def check(self, measured: Mapping[str, Measured]) -> dict[str, str]:
        """Name → what is wrong, for counters that went back since the last call other than by running over."""
        found: dict[str, str] = {}
        for name, end in self._ends.items():
            told = measured.get(name, NOTHING)
            if not told.quality.usable or told.value is None or isinstance(told.value, str):
                continue
            last = self._last.get(name)
            self._last[name] = told.value
            if last is not None and told.value < last and (end is None or last < _NEAR_ITS_END * end):
                found[name] = f"{name} went back from {last:.0f} to {told.value:.0f}: reset, or another meter"
        return found


def doubted(measured: dict[str, Measured], found: Mapping[str, str]) -> None:
    """A counter that went back is no measure of what was used since; from the next poll on it counts anew."""
    for name in found:
        measured[name] = Measured(measured[name].value, Quality.IMPLAUSIBLE)


def _end(point: Point) -> float | None:
    """Where it runs over; None where nobody knows."""
    return (
        None
        if point.rollover_bits is None or point.scale_point is not None
        else 2.0**point.rollover_bits * abs(point.scale)
    )
