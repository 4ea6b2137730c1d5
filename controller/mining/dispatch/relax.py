"""The linear relaxation, solved exactly, with a price for every feeder.

Feeder sets are nested or disjoint, so the greedy in falling slope is optimal (Federgruen and Groenevelt 1986). Here it
runs without a loop over increments: all profitable steps are taken, then each level, leaves first, keeps of every
overloaded feeder's steps what fits, in order of slope.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.hull import Increments, LevelOrder
from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.array import Floats, Ints

_NEAR = 0.9


@dataclass(frozen=True, eq=False)
class Relaxation:
    """`taken_w` of each increment; `price_usd_wh` of each feeder, at least that of its parent (the dual of the tree).

    `near` are the miners whose next step was only just not worth its feeder's price.
    """

    taken_w: Ints
    price_usd_wh: Floats
    near: Ints

    def whole_modes(self, problem: Problem, steps: Increments) -> Ints:
        """The decision without the fractional pieces: feasible, a little below the bound."""
        whole = (self.taken_w == steps.step_w) & (self.taken_w > 0)
        climbed = np.bincount(steps.miner[whole], minlength=len(problem))
        return np.asarray(steps.chain[climbed, np.arange(len(problem))], np.int64)


def relax(problem: Problem, steps: Increments) -> Relaxation:
    """Solve the relaxation of `problem` over the increments `steps`."""
    slope = steps.slope_usd_wh(problem)
    useful = (slope > 0) & problem.free[steps.miner] & (steps.mode <= problem.high[steps.miner])
    taken_w = np.where(useful, steps.step_w, 0)
    room_w = problem.limit_w - problem.base_load_w
    price = np.zeros(len(problem.tree))
    for level in reversed(steps.levels):
        wanted_w = np.bincount(steps.feeder, weights=taken_w, minlength=len(problem.tree)).astype(np.int64)
        over = np.flatnonzero((problem.tree.below(wanted_w) > room_w)[level.feeder])
        if over.size:
            _truncate(level, over, taken_w, room_w, slope, price)
    for feeders in problem.tree.levels[1:]:
        price[feeders] = np.maximum(price[feeders], price[problem.tree.parent[feeders]])
    passed_over = useful & (taken_w < steps.step_w) & (slope > _NEAR * price[steps.feeder])
    return Relaxation(taken_w, price, np.unique(steps.miner[passed_over]))


def _truncate(level: LevelOrder, over: Ints, taken_w: Ints, room_w: Ints, slope: Floats, price: Floats) -> None:
    """Cut the steps of the overloaded feeders down to their room; the first step cut gives the feeder's price."""
    length, feeder = level.length[over], level.feeder[over]
    start = np.cumsum(length) - length
    item = level.item[_runs(level.first[over], length)]
    offered = taken_w[item]
    total = np.cumsum(offered)
    limit = total[start] - offered[start] + room_w[feeder]
    cut = np.searchsorted(total, limit, side="right")
    taken_w[item[cut]] -= total[cut] - limit
    taken_w[item[_runs(cut + 1, start + length - cut - 1)]] = 0
    price[feeder] = slope[item[cut]]


def _runs(first: Ints, length: Ints) -> Ints:
    """The numbers first, first + 1, … of all runs, one run after the other."""
    before = np.cumsum(length) - length
    return np.asarray(np.arange(int(length.sum())) + np.repeat(first - before, length), np.int64)
