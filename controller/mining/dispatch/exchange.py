"""Better use of full feeders: one miner climbs, paid for by room or by one that steps down below the same feeder.

All feeders of a level are searched at once. Watts taken or freed are priced at what they are worth above the feeder,
so that a leaf neither hoards nor wastes what its ancestors lack. A move is made only where the true room of the whole
path allows it: the decision stays feasible at every moment.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.problem import Problem
from controller.mining.dispatch.room import admit
from controller.mining.dispatch.rounding import Draft
from controller.mining.fleet.array import Floats, Ints

_MIN_GAIN_USD_H = 1e-9
_WATT_BITS = 22  # 4 MW for one miner


@dataclass(frozen=True, eq=False)
class Swap:
    """At most one a group: `up` climbs to `up_mode`, paid by `down` in `down_mode`, or by room where `down` is -1."""

    group: Ints
    up: Ints
    up_mode: Ints
    down: Ints
    down_mode: Ints
    net_w: Ints
    gain: Floats


def exchange(draft: Draft, feeders: Ints, price_usd_wh: Floats, rounds: int) -> None:
    """Improve `draft` below `feeders`, which are disjoint and ascending, until nothing gains or `rounds` are over.

    `price_usd_wh` is the worth of a watt above each of the feeders.
    """
    problem = draft.problem
    for _ in range(rounds):
        if not feeders.size:
            return
        swap = _best_swaps(draft, feeders, price_usd_wh)
        if not swap.group.size:
            return
        order = np.argsort(-swap.gain, kind="stable")
        granted = order[admit(problem.tree, draft.room_w, feeders[swap.group[order]], swap.net_w[order])]
        if not granted.size:
            return
        paid = granted[swap.down[granted] >= 0]
        draft.move(
            np.concatenate((swap.up[granted], swap.down[paid])),
            np.concatenate((swap.up_mode[granted], swap.down_mode[paid])),
        )
        moved = np.sort(swap.group[granted])
        feeders, price_usd_wh = feeders[moved], price_usd_wh[moved]


def _best_swaps(draft: Draft, feeders: Ints, price: Floats) -> Swap:
    problem = draft.problem
    miner, group = _members(problem, feeders)
    moves = _moves(draft, miner, price[group])
    count = len(miner)
    who = moves.up % count if count else moves.up
    hope = np.zeros(len(feeders))
    np.maximum.at(hope, group[who], moves.up_gain)
    cheap = moves.down_loss < hope[group[moves.down % max(count, 1)]]
    down = moves.down[cheap]
    ladder = _Downgrades.of(group[down % max(count, 1)], moves.freed_w[cheap], moves.down_loss[cheap], down)

    up_group, up_w = group[who], moves.taken_w
    missing = up_w - problem.tree.least_above(draft.room_w)[feeders][up_group]
    pays, loss, freed = ladder.cheapest(up_group, np.maximum(missing, 0))
    alone = missing <= 0
    pays, net = np.where(alone, -1, pays), np.where(alone, moves.up_gain, moves.up_gain - loss)
    fits = _room_inside(draft, feeders)[miner[who]] >= up_w
    valid = fits & (net > _MIN_GAIN_USD_H) & ((pays < 0) | (pays % max(count, 1) != who))
    best = _best_of_group(up_group, np.where(valid, net, -np.inf), len(feeders))
    pays = pays[best]
    paid = pays >= 0
    return Swap(
        group=up_group[best],
        up=miner[who[best]],
        up_mode=moves.up[best] // max(count, 1),
        down=np.where(paid, miner[pays % max(count, 1)], -1),
        down_mode=pays // max(count, 1),
        net_w=up_w[best] - np.where(paid, freed[best], 0),
        gain=net[best],
    )


@dataclass(frozen=True, eq=False)
class _Moves:
    """Single moves of the searched miners, numbered mode · count + position, with watts and priced worth."""

    up: Ints
    taken_w: Ints
    up_gain: Floats
    down: Ints
    freed_w: Ints
    down_loss: Floats


def _moves(draft: Draft, miner: Ints, price: Floats) -> _Moves:
    problem = draft.problem
    here, everyone = draft.mode[miner], np.arange(len(miner))
    step_w, gain = problem.power_w.take(miner, axis=1), problem.value_usd_h.take(miner, axis=1)
    step_w -= step_w[here, everyone]
    gain -= gain[here, everyone]
    gain -= step_w * price
    within = np.arange(len(step_w))[:, None] <= problem.high[miner]
    up = np.flatnonzero(within & (step_w > 0) & (gain > _MIN_GAIN_USD_H))
    down = np.flatnonzero(within & (step_w < 0))
    watts, worth = step_w.ravel(), gain.ravel()
    return _Moves(up, watts[up], worth[up], down, -watts[down], -worth[down])


def _members(problem: Problem, feeders: Ints) -> tuple[Ints, Ints]:
    """Free miners below each of the feeders, and the position of their feeder."""
    first = np.searchsorted(problem.feeder, feeders)
    count = np.searchsorted(problem.feeder, problem.tree.end[feeders]) - first
    group = np.repeat(np.arange(len(feeders)), count)
    before = np.cumsum(count) - count
    miner = np.arange(int(count.sum())) + (first - before)[group]
    free = problem.free[miner]
    return miner[free], group[free]


def _room_inside(draft: Draft, feeders: Ints) -> Ints:
    """For each miner of the problem the least room between it and its group's feeder, the latter left out."""
    tree = draft.problem.tree
    room = draft.room_w.copy()
    room[feeders] = np.iinfo(np.int64).max
    least = room.copy()
    inside = np.zeros(len(tree), np.bool_)
    inside[feeders] = True
    for level in tree.levels[1:]:
        below = level[inside[tree.parent[level]]]
        inside[below] = True
        least[below] = np.minimum(least[below], least[tree.parent[below]])
    return least[draft.problem.feeder]


def _best_of_group(group: Ints, net: Floats, groups: int) -> Ints:
    """Position of the best entry of each group that has one; the first of equals."""
    best = np.full(groups, -np.inf)
    np.maximum.at(best, group, net)
    winner = np.flatnonzero((net == best[group]) & (net > -np.inf))
    return winner[np.unique(group[winner], return_index=True)[1]]


@dataclass(frozen=True, eq=False)
class _Downgrades:
    """All ways down by group and freed watts; `cheapest_from` is the best of those that free as much or more."""

    key: Ints
    group: Ints
    freed_w: Ints
    loss: Floats
    move: Ints
    cheapest_from: Ints

    @classmethod
    def of(cls, group: Ints, freed_w: Ints, loss: Floats, move: Ints) -> "_Downgrades":
        key = (group << _WATT_BITS) | freed_w
        order = np.argsort(key, kind="stable")
        group, loss = group[order], loss[order]
        spread = float(loss.max() - loss.min()) + 1.0 if loss.size else 1.0
        backwards = (loss + group * spread)[::-1]
        least = np.minimum.accumulate(backwards)
        last_new = np.maximum.accumulate(np.where(backwards == least, np.arange(len(loss)), 0))
        cheapest = (len(loss) - 1 - last_new)[::-1]
        return cls(key[order], group, freed_w[order], loss, move[order], cheapest)

    def cheapest(self, group: Ints, missing_w: Ints) -> tuple[Ints, Floats, Ints]:
        """The move that frees enough at least loss, its loss and its watts; (-1, inf, 0) where none does."""
        none = np.full(len(group), -1, np.int64), np.full(len(group), np.inf), np.zeros(len(group), np.int64)
        if not self.key.size:
            return none
        at = np.searchsorted(self.key, (group << _WATT_BITS) | missing_w)
        inside = at < len(self.key)
        pick = self.cheapest_from[np.minimum(at, len(self.key) - 1)]
        found = inside & (self.group[pick] == group)
        return (
            np.where(found, self.move[pick], none[0]),
            np.where(found, self.loss[pick], none[1]),
            np.where(found, self.freed_w[pick], none[2]),
        )
