"""Which order did a machine carry out? Protocols name none, so time decides: each execution belongs to one order of its
kind that the agent had just taken, and to no other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

Matter = tuple[str, str]
"""Device id and verb."""
Name = tuple[str, Matter]
"""The wire id of a command and the matter of its order: a command has one order a matter."""

APPLIED_WITHIN_MS = 90_000
"""From the ledger to the machine at most: a minute until it is found, and twice 15 s for a line that is busy."""


class Taken(NamedTuple):
    """An order in the agent's ledger, and until when it can have been carried out."""

    name: Name
    local: bool
    at_ms: int
    until_ms: int

    @property
    def matter(self) -> Matter:
        return self.name[1]


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
        served = _served([(order.at_ms, order.until_ms) for order in mine], times)
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
    return sum(
        any(one is not other and one.at_ms <= other.until_ms and other.at_ms <= one.until_ms for other in orders)
        for one in orders
    )
