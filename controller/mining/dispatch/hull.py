"""Upper concave hulls of the miners' ladders, as increments in the order in which watts are worth most.

With one hashprice, no negative energy price and no switching cost, hull and order follow from watts and hash alone:
`by_hash` is then built once per set of curves and serves every price and limit. Otherwise `by_value` builds hulls of
the values themselves. Ties go to the earlier step, then to the miner that stands first, so equal machines never swap
places.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.array import Bools, Floats, Ints, stable_order
from controller.mining.fleet.tree import FeederTree


@dataclass(frozen=True, eq=False)
class LevelOrder:
    """The increments below the feeders of one depth, feeder by feeder, inside a feeder in falling slope.

    `feeder` has `length` increments in `item`, from `first` on; feeders without increments are left out.
    """

    item: Ints
    feeder: Ints
    first: Ints
    length: Ints


@dataclass(frozen=True, eq=False)
class Increments:
    """`s` hull steps in falling `rate`: TH/s per W where `by_hash`, else $/Wh.

    `miner`, on `feeder`, takes `step_w` more watts and is then in `mode`. `chain[k, i]` is the mode of miner i after k
    of its steps, the last one repeated.
    """

    by_hash: bool
    miner: Ints
    feeder: Ints
    mode: Ints
    step_w: Ints
    rate: Floats
    chain: Ints
    levels: tuple[LevelOrder, ...]

    def slope_usd_wh(self, problem: Problem) -> Floats:
        """What one more watt of a step earns, $/Wh, net of energy."""
        if not self.by_hash:
            return self.rate
        return self.rate * problem.hashprice_usd_ths_h - problem.energy_usd_wh


def hash_order_holds(problem: Problem) -> bool:
    """May the order by hash per watt stand for the order by value?"""
    return problem.energy_usd_wh >= 0 and problem.hashprice_usd_ths_h > 0 and problem.switch_usd_h == 0


def by_hash(tree: FeederTree, feeder: Ints, power_w: Ints, hashrate_ths: Floats) -> Increments:
    """The increments of whole ladders, whatever prices and locks are."""
    everything = np.ones(power_w.shape, np.bool_)
    return _increments(tree, feeder, power_w, hashrate_ths, everything, by_hash=True)


def by_value(problem: Problem) -> Increments:
    """The increments of this problem's values and allowed modes."""
    return _increments(
        problem.tree, problem.feeder, problem.power_w, problem.value_usd_h, problem.allowed, by_hash=False
    )


def _increments(
    tree: FeederTree, feeder: Ints, power_w: Ints, gain: Floats, allowed: Bools, *, by_hash: bool
) -> Increments:
    miner, mode, step_w, rate, chain = _hull(power_w, gain, allowed)
    order = np.argsort(-rate, kind="stable")
    miner, mode, step_w, rate = miner[order], mode[order], step_w[order], rate[order]
    on = feeder[miner]
    levels = tuple(_level_order(tree.ancestor[depth][on]) for depth in range(len(tree.levels)))
    return Increments(by_hash, miner, on, mode, step_w, rate, chain, levels)


def _hull(power_w: Ints, gain: Floats, allowed: Bools) -> tuple[Ints, Ints, Ints, Floats, Ints]:
    """From the lowest mode, the steepest rising step again and again, the farthest of equals."""
    width, count = power_w.shape
    chain = np.zeros((width, count), np.int64)
    at = np.zeros(count, np.int64)
    climbing = np.arange(count)
    steps: list[tuple[Ints, Ints, Ints, Floats]] = []
    for position in range(1, width):
        mode, slope = _steepest(power_w[:, climbing], gain[:, climbing], allowed[:, climbing], at[climbing])
        moves = np.flatnonzero(slope > 0)
        climbing, mode, rate = climbing[moves], mode[moves], slope[moves]
        step_w = power_w[mode, climbing] - power_w[at[climbing], climbing]
        at[climbing] = mode
        chain[position] = at
        steps.append((climbing, mode, step_w, rate))
    if not steps:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing, np.zeros(0), chain
    miner, mode, step_w, rate = (np.concatenate(column) for column in zip(*steps, strict=True))
    return miner, mode, step_w, rate, chain


def _steepest(power_w: Ints, gain: Floats, allowed: Bools, at: Ints) -> tuple[Ints, Floats]:
    """The mode above `at` that gains most per watt, the farthest of equals, and its slope; 0.0 where none gains."""
    everyone = np.arange(len(at))
    here_w, here = power_w[at, everyone], gain[at, everyone]
    best_mode, best_slope, best_w = at.copy(), np.zeros(len(at)), here_w.copy()
    for mode in range(1, len(power_w)):
        step_w = power_w[mode] - here_w
        rising = allowed[mode] & (step_w > 0) & (power_w[mode] > best_w)
        slope = np.where(rising, (gain[mode] - here) / np.maximum(step_w, 1), 0.0)
        better = (slope > 0) & (slope >= best_slope)
        best_mode[better], best_slope[better] = mode, slope[better]
        best_w[better] = power_w[mode][better]
    return best_mode, best_slope


def _level_order(above: Ints) -> LevelOrder:
    """Group increments, given in falling slope, by the feeder `above` them; those with -1 hang higher up."""
    below = np.flatnonzero(above >= 0)
    item = below[stable_order(above[below])]
    feeder = above[item]
    first = np.flatnonzero(np.diff(feeder, prepend=-1))
    return LevelOrder(item=item, feeder=feeder[first], first=first, length=np.diff(first, append=len(item)))
