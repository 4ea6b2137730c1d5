"""Upper concave hulls of the miners' values over watts, as steps from each miner's lowest mode upwards.

Built anew for every problem: prices, locks and the cost of leaving the current mode all bend the curves.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.array import Floats, Ints

_BLOCK = 8_192  # miners whose curves fit the cache together


@dataclass(frozen=True, eq=False)
class Steps:
    """The hull steps that earn something, miner by miner, each miner's in ascending watts and falling slope.

    `miner` takes `step_w` more watts, gains `slope_usd_wh` on each of them and is then in `mode`. Miners stand
    depth-first, so feeder f and everything below it have the steps `first[f]` to `end[f]`.
    """

    miner: Ints
    mode: Ints
    step_w: Ints
    slope_usd_wh: Floats
    first: Ints
    end: Ints


def steps_of(problem: Problem) -> Steps:
    """The rising part of every free miner's hull over its allowed modes; of collinear modes only the farthest."""
    blocks = [_steps_of(problem, start) for start in range(0, max(len(problem), 1), _BLOCK)]
    miner, mode, step_w, slope = (np.concatenate(column) for column in zip(*blocks, strict=True))
    first = np.searchsorted(problem.feeder[miner], np.arange(len(problem.tree) + 1))
    return Steps(miner, mode, step_w, slope, first[:-1], first[problem.tree.end])


def _steps_of(problem: Problem, start: int) -> tuple[Ints, Ints, Ints, Floats]:
    """Miner, mode, watts and slope of the steps of one block of miners.

    A corner of the rising hull is reached more steeply from every allowed mode below it than it goes on to any above
    it. So written, slopes fall strictly from corner to corner, whatever the rounding.
    """
    block = slice(start, start + _BLOCK)
    power_w = problem.power_w[:, block]
    value = np.where(problem.allowed[:, block], problem.value_usd_h[:, block], -np.inf)
    reached, onward = _extremes(power_w.astype(np.float64), value)
    upper = len(power_w) - 1
    at = np.flatnonzero((reached > onward)[1:].T)
    miner = at // upper
    mode = at - miner * upper + 1
    there_w = power_w[mode, miner]
    starts = np.diff(miner, prepend=-1) > 0
    here_w = np.where(starts, power_w[0, miner], np.roll(there_w, 1))
    return start + miner, mode, there_w - here_w, reached[mode, miner]


def _extremes(watts: Floats, value: Floats) -> tuple[Floats, Floats]:
    """[M, n]: each mode's least slope from any mode below it, and its greatest to any above it or 0."""
    least, greatest = np.full_like(value, np.inf), np.zeros_like(value)
    with np.errstate(invalid="ignore", divide="ignore"):  # modes that are not allowed end as nan or -inf
        for high in range(1, len(watts)):
            for low in range(high):
                slope = (value[high] - value[low]) / (watts[high] - watts[low])
                np.minimum(least[high], slope, out=least[high])
                np.maximum(greatest[low], slope, out=greatest[low])
    return least, greatest
