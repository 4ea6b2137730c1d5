"""Loads of a site's feeders: what their meters say, what the miners below add up to, and how far to the limit."""

from dataclasses import dataclass

import numpy as np

from controller.mining.fleet.array import Bools, Floats, Ints
from controller.mining.fleet.power import Basis, PowerAccount
from controller.mining.fleet.roster import Roster
from controller.mining.fleet.tree import NO_LIMIT_W, FeederTree


@dataclass(frozen=True, eq=False)
class FeederLoads:
    """All arrays are one element a feeder, in the order of the tree.

    `counted_w` is the sum of what miners below draw or may draw, with the unmetered loads; `assumed_w` is the part of
    it that nobody has seen. `metered_w` is NaN where no meter hangs or its value may not be used now.
    """

    counted_w: Ints
    assumed_w: Ints
    metered_w: Floats
    miners: Ints
    without_watts: Ints
    cap_w: Ints

    @property
    def metered(self) -> Bools:
        return ~np.isnan(self.metered_w)

    @property
    def load_w(self) -> Floats:
        """The meter where it speaks, else what is counted: a measured feeder beats the sum of its children."""
        return np.where(self.metered, self.metered_w, self.counted_w)

    @property
    def safe_w(self) -> Ints:
        """The larger of both: what a decision to add load must start from."""
        return np.maximum(self.counted_w, np.ceil(np.nan_to_num(self.metered_w)).astype(np.int64))

    @property
    def residual_w(self) -> Floats:
        """Metered less counted; NaN without a meter."""
        return self.metered_w - self.counted_w

    @property
    def load_pct(self) -> Floats:
        """Load against limit; NaN where there is none."""
        return np.where(self.cap_w < NO_LIMIT_W, 100.0 * self.load_w / np.maximum(self.cap_w, 1), np.nan)


def feeder_loads(tree: FeederTree, roster: Roster, power: PowerAccount, metered_w: Floats) -> FeederLoads:
    """Carry the miners' watts up the tree. `metered_w` is one element a feeder."""
    placed = roster.placed
    feeder, unseen = roster.feeder[:placed], power.basis[:placed] == Basis.ASSUMED

    def below(weights: Ints) -> Ints:
        return tree.below(np.bincount(feeder, weights=weights, minlength=len(tree)).astype(np.int64))

    counted = power.counted_w[:placed]
    return FeederLoads(
        counted_w=below(counted) + tree.below(tree.unmetered_w),
        assumed_w=below(np.where(unseen, counted, 0)),
        metered_w=metered_w,
        miners=below(np.ones(placed, np.int64)),
        without_watts=below(unseen.astype(np.int64)),
        cap_w=tree.cap_w,
    )
