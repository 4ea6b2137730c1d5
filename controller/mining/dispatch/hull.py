"""Upper concave hulls of the miners' values over watts, as steps from each miner's lowest mode upwards.

Built anew for every problem: prices, locks and the cost of leaving the current mode all bend the curves.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.array import Bools, Floats, Ints

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
    slope, corner = _corners(problem)
    count, upper = corner.shape
    at = np.flatnonzero(corner)
    miner = at // upper
    level = at - miner * upper
    there_w = problem.power_w[1:].take(level * count + miner)
    starts = np.diff(miner, prepend=-1) > 0
    here_w = np.where(starts, problem.power_w[0].take(miner), np.roll(there_w, 1))
    steps_before = np.concatenate(([0], np.cumsum(np.count_nonzero(corner, axis=1))))
    feeder_miners = np.searchsorted(problem.feeder, np.arange(len(problem.tree) + 1))
    first = steps_before[feeder_miners]
    return Steps(
        miner=miner,
        mode=level + 1,
        step_w=there_w - here_w,
        slope_usd_wh=slope.take(level * count + miner),
        first=first[:-1],
        end=first[problem.tree.end],
    )


def _corners(problem: Problem) -> tuple[Floats, Bools]:
    """For each mode above the first [M - 1, n] the slope that leads to it, and [n, M - 1] whether it is a corner.

    A corner of the rising hull is reached more steeply from every allowed mode below it than it goes on to any above
    it. So written, slopes fall strictly from corner to corner, whatever the rounding.
    """
    modes, count = problem.power_w.shape
    arriving = np.empty((modes - 1, count))
    corner = np.empty((count, modes - 1), np.bool_)
    for start in range(0, count, _BLOCK):
        block = slice(start, start + _BLOCK)
        value = np.where(problem.allowed[:, block], problem.value_usd_h[:, block], -np.inf)
        reached, onward = _extremes(problem.power_w[:, block].astype(np.float64), value)
        arriving[:, block] = reached[1:]
        corner[block] = (reached > onward)[1:].T
    return arriving, corner


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
