"""The electrical tree of one site as arrays, depth first, so that everything below a feeder is one slice.

Any depth, several roots, and miners on inner feeders are allowed; a cycle or a missing parent is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from controller.mining.fleet.array import Ints
from shared.errors import SettingInvalid
from shared.site import Feeder

NO_LIMIT_W = 1 << 50


@dataclass(frozen=True, eq=False)
class FeederTree:
    """`n` feeders; parents stand before children. `cap_w` is NO_LIMIT_W where the site sets no limit.

    `end[f]` closes the slice `f .. end[f]` of feeder f and all below it; `parent` is -1 at a root; `unmetered_w` is
    the load of the feeder itself that no device reports; `meters` names the meter of a feeder, empty where none is.
    """

    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    meters: tuple[str, ...]
    parent: Ints
    depth: Ints
    end: Ints
    cap_w: Ints
    unmetered_w: Ints

    @classmethod
    def of(cls, feeders: Sequence[Feeder]) -> "FeederTree":
        """The tree of a site's file. SettingInvalid names the feeder that hangs nowhere or below itself."""
        order, parent = _depth_first(feeders)
        placed = [feeders[index] for index in order]
        depth, end = _depth_and_end(parent)
        capacity = [feeder.capacity_w for feeder in placed]
        return cls(
            ids=tuple(feeder.id for feeder in placed),
            kinds=tuple(feeder.kind for feeder in placed),
            meters=tuple(feeder.meter or "" for feeder in placed),
            parent=parent,
            depth=depth,
            end=end,
            cap_w=np.array([NO_LIMIT_W if cap is None else cap for cap in capacity], np.int64),
            unmetered_w=np.array([feeder.unmetered_w for feeder in placed], np.int64),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def index(self) -> dict[str, int]:
        return {feeder: position for position, feeder in enumerate(self.ids)}

    @cached_property
    def levels(self) -> tuple[Ints, ...]:
        """The feeders of each depth, roots first."""
        deepest = int(self.depth.max()) + 1 if len(self) else 0
        return tuple(np.flatnonzero(self.depth == depth) for depth in range(deepest))

    @cached_property
    def ancestor(self) -> Ints:
        """[depth, feeder]: who stands above a feeder at a depth, itself at its own, -1 at those below it."""
        table = np.full((len(self.levels), len(self)), -1, np.int64)
        for depth, feeders in enumerate(self.levels):
            table[depth, feeders] = feeders
            if depth:
                table[:depth, feeders] = table[:depth, self.parent[feeders]]
        return table

    def below(self, own: Ints) -> Ints:
        """Sums over each feeder's slice of what stands at the feeders themselves."""
        total = np.concatenate(([0], np.cumsum(own)))
        return np.asarray(total[self.end] - total[:-1], np.int64)

    def least_above(self, room: Ints) -> Ints:
        """The least of `room` over a feeder and all above it."""
        least = room.copy()
        for feeders in self.levels[1:]:
            least[feeders] = np.minimum(least[feeders], least[self.parent[feeders]])
        return least

    def chain(self, feeder: int) -> tuple[int, ...]:
        """The feeder and all above it, nearest first."""
        path = []
        while feeder >= 0:
            path.append(feeder)
            feeder = int(self.parent[feeder])
        return tuple(path)


def _depth_first(feeders: Sequence[Feeder]) -> tuple[list[int], Ints]:
    """Positions of `feeders` in depth-first order, and each one's parent in that order."""
    at = {feeder.id: index for index, feeder in enumerate(feeders)}
    children: dict[int, list[int]] = {}
    for index, feeder in enumerate(feeders):
        if feeder.parent is not None and feeder.parent not in at:
            raise SettingInvalid(f"feeder {feeder.id!r} hangs below {feeder.parent!r}, which is not in the site")
        children.setdefault(-1 if feeder.parent is None else at[feeder.parent], []).append(index)
    order: list[int] = []
    parent: list[int] = []
    stack = [(index, -1) for index in reversed(children.get(-1, []))]
    while stack:
        index, above = stack.pop()
        stack.extend((child, len(order)) for child in reversed(children.get(index, [])))
        order.append(index)
        parent.append(above)
    if len(order) != len(feeders):
        lost = feeders[min(set(range(len(feeders))) - set(order))].id
        raise SettingInvalid(f"feeder {lost!r} is its own ancestor or hangs below one that is")
    return order, np.array(parent, np.int64)


def _depth_and_end(parent: Ints) -> tuple[Ints, Ints]:
    depth = np.zeros(len(parent), np.int64)
    end = np.arange(1, len(parent) + 1, dtype=np.int64)
    for feeder, above in enumerate(parent.tolist()):
        if above >= 0:
            depth[feeder] = depth[above] + 1
    for feeder in range(len(parent) - 1, -1, -1):
        above = parent[feeder]
        if above >= 0:
            end[above] = max(end[above], end[feeder])
    return depth, end
