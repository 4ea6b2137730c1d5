"""Who came down for a limit or a curtailment while nothing had a price, and from which mode: so far they may return.

Without a price nobody climbs for profit, but what was shed on demand comes back when the demand is over.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from controller.mining.dispatch.cycle import Cycle


class Lowered:
    """In memory only: after a restart without a price, people wake what a former process has shed."""

    def __init__(self) -> None:
        self._mode: dict[str, int] = {}

    @property
    def mode(self) -> Mapping[str, int]:
        """Device to the mode that it may return to."""
        return MappingProxyType(self._mode)

    def given(self, cycle: Cycle, changes: Iterable[tuple[str, int]]) -> None:
        """Devices were ordered to modes. Where there was a price it decides alone."""
        if not cycle.held:
            self._mode.clear()
            return
        row, current = cycle.snapshot.roster.row, cycle.problem.current
        for device, mode in changes:
            was = int(current[row[device]])
            if mode < was:
                self._mode.setdefault(device, was)
            elif mode >= self._mode.get(device, mode):
                self._mode.pop(device, None)
