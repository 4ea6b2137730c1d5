"""The integer decision while it is being improved: modes of miners, room of feeders, and the refill."""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.problem import Problem
from controller.mining.dispatch.room import admit
from controller.mining.fleet.array import Floats, Ints

_MAX_REFILL_ROUNDS = 40


@dataclass(eq=False)
class Draft:
    """A feasible decision under way: `mode` of each miner, `room_w` that each feeder has left, never below zero."""

    problem: Problem
    mode: Ints
    room_w: Ints

    @classmethod
    def of(cls, problem: Problem, mode: Ints) -> "Draft":
        return cls(problem, mode, problem.limit_w - problem.load_w(mode))

    def move(self, miner: Ints, mode: Ints) -> None:
        """Put miners, each named once, into new modes and account for the watts."""
        problem = self.problem
        change = problem.power_w[mode, miner] - problem.power_w[self.mode[miner], miner]
        own = np.bincount(problem.feeder[miner], weights=change, minlength=len(problem.tree)).astype(np.int64)
        self.room_w -= problem.tree.below(own)
        self.mode[miner] = mode


def refill(draft: Draft, miner: Ints) -> None:
    """Let these miners climb, steepest value first, while the whole path above them has room."""
    for _ in range(_MAX_REFILL_ROUNDS):
        miner, mode, slope = _steepest_fitting(draft, miner)
        if not miner.size:
            return
        step_w = draft.problem.power_w[mode, miner] - draft.problem.power_w[draft.mode[miner], miner]
        order = np.argsort(-slope, kind="stable")
        feeder = draft.problem.feeder[miner[order]]
        granted = order[admit(draft.problem.tree, draft.room_w, feeder, step_w[order])]
        draft.move(miner[granted], mode[granted])


def climbers(draft: Draft) -> Ints:
    """Miners with a better mode above them and room for the smallest step."""
    problem = draft.problem
    path_room = problem.tree.least_above(draft.room_w)[problem.feeder]
    miner = np.flatnonzero(problem.free & (draft.mode < problem.high) & (path_room > 0))
    here = draft.mode[miner]
    smallest_w = problem.power_w[here + 1, miner] - problem.power_w[here, miner]
    unsated = problem.value_usd_h[here, miner] < problem.best_usd_h[miner]
    return miner[unsated & (smallest_w <= path_room[miner])]


def _steepest_fitting(draft: Draft, miner: Ints) -> tuple[Ints, Ints, Floats]:
    """Those of `miner` that can still climb, the mode that gains most per watt in their room, and that gain, $/Wh."""
    problem = draft.problem
    room_w = problem.tree.least_above(draft.room_w)[problem.feeder[miner]]
    here = draft.mode[miner]
    here_w, here_usd_h = problem.power_w[here, miner], problem.value_usd_h[here, miner]
    high = problem.high[miner]
    best_mode, best = here.copy(), np.zeros(len(miner))
    for mode in range(1, len(problem.power_w)):
        step_w = problem.power_w[mode].take(miner) - here_w
        fits = (step_w > 0) & (step_w <= room_w) & (mode <= high)
        slope = np.where(fits, (problem.value_usd_h[mode].take(miner) - here_usd_h) / np.maximum(step_w, 1), 0.0)
        better = slope > best
        best_mode[better], best[better] = mode, slope[better]
    climbs = np.flatnonzero(best > 0)
    return miner[climbs], best_mode[climbs], best[climbs]
