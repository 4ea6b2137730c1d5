"""Which order did a machine carry out? Protocols name none, so time decides: each execution belongs to one order of its
kind that the agent had just taken, and to no other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

Matter = tuple[str, str]
"""Device id and verb."""
Name = tuple[str, Matter]
"""The wire id of a command and the matter of its order: a command has one order a matter."""

APPLIED_WITHIN_MS = 30_000
"""From the ledger to the machine: an order may wait for the line behind another one, each for at most 15 s."""


class Taken(NamedTuple):
    """An order in the agent's ledger."""

    name: Name
    local: bool
    at_ms: int

    @property
    def matter(self) -> Matter:
        return self.name[1]

    @property
    def window(self) -> tuple[int, int]:
        return self.at_ms, self.at_ms + APPLIED_WITHIN_MS


class Match(NamedTuple):
    """`carried_out` are the orders that have an execution of their own, `strange` counts those that no order explains.

    `crowded` counts orders whose time overlaps with that of another one of the same matter: only among these could one
    that never ran explain a second execution of its neighbour.
    """

    carried_out: frozenset[Name]
    strange: Mapping[Matter, int]
    crowded: int


def match(taken: Iterable[Taken], done: Mapping[Matter, Sequence[int]], sure: Collection[Name]) -> Match:
    """`done` has the times of the executions in milliseconds. Orders of `sure` come first where there is a choice."""
    orders: dict[Matter, list[Taken]] = defaultdict(list)
    for order in taken:
        orders[order.matter].append(order)
    carried_out: set[Name] = set()
    strange: dict[Matter, int] = {}
    for matter, times in done.items():
        mine = sorted(orders[matter], key=lambda order: (order.name not in sure, order.at_ms))
        served = _served([order.window for order in mine], times)
        carried_out |= {mine[place].name for place in served}
        if len(times) > len(served):
            strange[matter] = len(times) - len(served)
    return Match(frozenset(carried_out), strange, sum(_crowded(group) for group in orders.values()))


def _served(windows: Sequence[tuple[int, int]], times: Sequence[int]) -> set[int]:
    """As many windows as possible with a time of their own, earlier ones first (augmenting paths)."""
    owner: dict[int, int] = {}

    def serve(window: int, tried: set[int]) -> bool:
        first, last = windows[window]
        for place, time in enumerate(times):
            if first <= time <= last and place not in tried:
                tried.add(place)
                if place not in owner or serve(owner[place], tried):
                    owner[place] = window
                    return True
        return False

    return {window for window in range(len(windows)) if serve(window, set())}


def _crowded(orders: Sequence[Taken]) -> int:
    times = sorted(order.at_ms for order in orders)
    near = [later - earlier <= APPLIED_WITHIN_MS for earlier, later in pairwise(times)]
    return sum(before or after for before, after in zip([False, *near], [*near, False], strict=True))
