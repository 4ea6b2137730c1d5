"""What a decision is worth and whether it holds, recomputed from the decision alone by code of its own.

Shares no arithmetic with the solver: loads are summed up the parents one by one in integers, and the bound follows
from weak duality, which holds for any multipliers that are not negative. A wrong price can only make it loose.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.array import Floats, Ints
from controller.mining.fleet.tree import NO_LIMIT_W


@dataclass(frozen=True, eq=False)
class Certificate:
    """`gap_usd_h` is how much better the best decision could be at most; `violations` names what does not hold.

    `load_w` and `multiplier_usd_wh` are per feeder; only feeders that bind have a multiplier above zero.
    """

    objective_usd_h: float
    bound_usd_h: float
    load_w: Ints
    multiplier_usd_wh: Floats
    violations: tuple[str, ...]

    @property
    def gap_usd_h(self) -> float:
        return max(0.0, self.bound_usd_h - self.objective_usd_h)

    @property
    def gap_pct(self) -> float | None:
        """Share of the bound; None where the bound is no profit, because a ratio to nothing says nothing."""
        return 100 * self.gap_usd_h / self.bound_usd_h if self.bound_usd_h > 0 else None

    @property
    def holds(self) -> bool:
        return not self.violations


def audit(problem: Problem, mode: Ints, price_usd_wh: Floats) -> Certificate:
    """Check `mode` against every limit and bound the optimum with the feeders' prices."""
    parent = problem.tree.parent
    drawn_w = np.where(problem.free, problem.power_w[mode, np.arange(len(problem))], problem.locked_w)
    load_w = _sum_up(parent, problem.feeder, drawn_w) + _sum_up(parent, np.arange(len(parent)), problem.reserved_w)
    multiplier = np.where(parent >= 0, price_usd_wh - price_usd_wh[parent], price_usd_wh)
    multiplier = np.where(problem.cap_w < NO_LIMIT_W, np.maximum(multiplier, 0.0), 0.0)
    earned = problem.value_usd_h[mode, np.arange(len(problem))]
    return Certificate(
        objective_usd_h=float(earned[problem.free].sum()),
        bound_usd_h=_bound_usd_h(problem, multiplier),
        load_w=load_w,
        multiplier_usd_wh=multiplier,
        violations=_violations(problem, mode, load_w),
    )


def _bound_usd_h(problem: Problem, multiplier: Floats) -> float:
    """Best of each miner at its feeder's price, plus what the feeders' room is worth at their multipliers."""
    parent = problem.tree.parent
    along_path, above = multiplier.copy(), parent
    while (above >= 0).any():
        along_path += np.where(above >= 0, multiplier[above], 0.0)
        above = np.where(above >= 0, parent[above], -1)
    price = along_path[problem.feeder]
    best = np.full(len(problem), -np.inf)
    for mode in range(len(problem.power_w)):
        net = problem.value_usd_h[mode] - price * problem.power_w[mode]
        np.maximum(best, net, out=best, where=mode <= problem.high)
    fixed_w = np.where(problem.free, 0, problem.locked_w)
    taken_w = _sum_up(parent, problem.feeder, fixed_w) + _sum_up(parent, np.arange(len(parent)), problem.reserved_w)
    binding = np.flatnonzero(multiplier > 0)
    room_w = problem.limit_w[binding] - taken_w[binding]
    return float(best[problem.free].sum() + (multiplier[binding] * room_w).sum())


def _violations(problem: Problem, mode: Ints, load_w: Ints) -> tuple[str, ...]:
    found = [
        f"feeder {problem.tree.ids[feeder]} carries {load_w[feeder]} W, its limit is {problem.limit_w[feeder]} W"
        for feeder in np.flatnonzero(load_w > problem.limit_w)
    ]
    if (problem.free & ((mode < 0) | (mode > problem.high))).any():
        found.append("a miner is in a mode that it may not take")
    return tuple(found)


def _sum_up(parent: Ints, at: Ints, watts: Ints) -> Ints:
    """What stands at feeders, carried to each of them and to everything above."""
    own = np.zeros(len(parent), np.int64)
    np.add.at(own, at, watts)
    total, above = own.copy(), parent
    while (above >= 0).any():
        inside = above >= 0
        np.add.at(total, above[inside], own[inside])
        above = np.where(inside, parent[above], -1)
    return total
