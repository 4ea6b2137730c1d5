"""The linear relaxation, solved exactly, with a price for every feeder.

Feeder sets are nested or disjoint, so the greedy in falling slope is optimal (Federgruen and Groenevelt 1986). Here it
runs without a loop over steps and without sorting them all: every step that earns is taken, then each level, leaves
first, keeps of every overloaded feeder's steps what fits, the steepest first.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.hull import Steps
from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.array import Floats, Ints

_NEAR = 0.9
_STEPS_PER_RANGE = 8  # on average; fewer cost more counting, more cost more sorting


@dataclass(frozen=True, eq=False)
class Relaxation:
    """`taken_w` of each step; `price_usd_wh` of each feeder, at least that of its parent (the dual of the tree).

    `near` are the miners whose next step was only just not worth its feeder's price.
    """

    taken_w: Ints
    price_usd_wh: Floats
    near: Ints

    def whole_modes(self, problem: Problem, steps: Steps) -> Ints:
        """The decision without the fractional pieces: feasible, a little below the bound."""
        whole = np.flatnonzero(self.taken_w == steps.step_w)
        mode = np.zeros(len(problem), np.int64)
        mode[steps.miner[whole]] = steps.mode[whole]  # of several steps of a miner the last one stays
        return mode


def relax(problem: Problem, steps: Steps) -> Relaxation:
    """Solve the relaxation of `problem` over the steps of its hulls."""
    slope = steps.slope_usd_wh
    taken_w = steps.step_w.copy()
    before_w = np.zeros(len(taken_w) + 1, np.int64)
    room_w = problem.limit_w - problem.base_load_w
    price = np.zeros(len(problem.tree))
    for level in reversed(problem.tree.levels):
        np.cumsum(taken_w, out=before_w[1:])
        wanted_w = before_w[steps.end[level]] - before_w[steps.first[level]]
        over = level[wanted_w > room_w[level]]
        if over.size:
            cut = _truncate(taken_w, slope, np.stack((steps.first[over], steps.end[over]), axis=1), room_w[over])
            price[over] = slope[cut]
    for feeders in problem.tree.levels[1:]:
        price[feeders] = np.maximum(price[feeders], price[problem.tree.parent[feeders]])
    left = np.flatnonzero(taken_w < steps.step_w)
    miner = steps.miner[left]
    passed_over = slope[left] > _NEAR * price[problem.feeder[miner]]
    return Relaxation(taken_w, price, np.unique(miner[passed_over]))


def _truncate(taken_w: Ints, slope: Floats, slices: Ints, room_w: Ints) -> Ints:
    """Cut what is taken in disjoint slices of the steps to their room, which all exceed; the step at each cut.

    The steps are first counted by narrow ranges of `slope`, so that only those in the same range as a cut have to be
    sorted.
    """
    bounds = np.concatenate(([0], slices.ravel(), [len(taken_w)]))
    room = np.full(len(bounds) - 1, np.inf)  # what lies between the slices is left alone
    room[1::2] = room_w
    group = np.repeat(np.arange(len(room)), np.diff(bounds))
    ranges = 2 + len(taken_w) // (_STEPS_PER_RANGE * len(slices))
    bucket = (group + 1) * ranges - 1 - (slope * ((ranges - 1) / slope.max())).astype(np.int64)
    filled_w = np.concatenate(([0.0], np.cumsum(np.bincount(bucket, taken_w, len(room) * ranges))))
    before_w = filled_w[:-1:ranges]
    cut = np.searchsorted(filled_w, before_w + room, side="right") - 1
    past = bucket - cut[group]
    taken_w *= past <= 0
    close = np.flatnonzero((past == 0) & (taken_w > 0))
    kept_w = (filled_w[cut] - before_w)[1::2].astype(np.int64)
    return _truncate_in_order(taken_w, slope, close, group[close] // 2, room_w - kept_w)


def _truncate_in_order(taken_w: Ints, slope: Floats, step: Ints, group: Ints, room_w: Ints) -> Ints:
    """Cut what is taken of these steps to the room of their ascending groups, equal slopes as they stand."""
    step = step[np.lexsort((-slope[step], group))]
    total_w = np.concatenate(([0], np.cumsum(taken_w[step])))
    limit_w = total_w[np.searchsorted(group, np.arange(len(room_w)))] + room_w
    cut = np.searchsorted(total_w, limit_w, side="right") - 1
    taken_w[step[np.arange(len(step)) > cut[group]]] = 0
    taken_w[step[cut]] = limit_w - total_w[cut]
    return step[cut]
