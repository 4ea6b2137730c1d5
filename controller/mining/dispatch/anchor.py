"""What meters show against what the miners below them draw, remembered from the last moment when nothing was changing.

A meter is compared with the model only while nothing below it is under way, or a slow meter would be taken for a load.
Between two such moments the last one stays the anchor from which watts of miners are turned into watts of the meter.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from controller.mining.dispatch.bond import Bonds
from controller.mining.dispatch.unit import Units
from controller.mining.fleet.array import Bools, Floats, Ints
from controller.mining.fleet.power import Basis
from controller.mining.fleet.snapshot import SiteSnapshot
from controller.mining.fleet.tree import FeederTree

_UNSETTLED_SHARE = 0.0025  # of the load: what so few watts in motion hide is below a meter's accuracy
_UNSEEN_SHARE = 0.03  # of the load: with more, nobody can tell losses from miners that draw unseen
_COPPER_SHARE = 0.7  # of the losses at high load; the rest stands and does not fall with the load
_MOST_LOSS = 0.05  # of the load: more than that is no loss but a meter or a miner that errs
_HIGH_LOAD = 0.9  # of the highest load that was seen: from there on losses are learned anew


@dataclass(frozen=True, eq=False)
class Anchors:
    """One element a feeder. `metered_w` and `drawn_w` belong to one moment and are NaN where there was none; `fresh`
    says that it is this moment. `copper_per_w` are losses that grow with the square, learned at `high_w`.
    """

    tree: FeederTree
    units: Units
    metered_w: Floats
    drawn_w: Floats
    fresh: Bools
    copper_per_w: Floats
    high_w: Floats

    @cached_property
    def hidden_w(self) -> Ints:
        """Load that meters show above their miners and above what meters further down explain; 0 without a meter."""
        excess, hidden = self.metered_w - self.drawn_w, np.zeros(len(self.tree), np.int64)
        for level in reversed(self.tree.levels):
            missing = np.nan_to_num(excess[level]) - self.tree.below(hidden)[level]
            hidden[level] = np.maximum(np.ceil(missing), 0).astype(np.int64)
        return hidden

    def knows(self, feeder: int) -> bool:
        return bool(np.isfinite(self.metered_w[feeder]))

    def meter_w(self, feeder: int, load_w: int) -> float:
        """What the meter will show under a load that counts `hidden_w` too, as problems do; NaN without an anchor."""
        change_w = load_w - self._anchor_load_w(feeder)
        return float(self.metered_w[feeder]) + change_w * self._metered_per_watt(feeder, change_w)

    def load_w(self, feeder: int, meter_w: float) -> float:
        """The load at which the meter will show that much; NaN without an anchor."""
        change_w = meter_w - float(self.metered_w[feeder])
        return self._anchor_load_w(feeder) + change_w / self._metered_per_watt(feeder, change_w)

    def _anchor_load_w(self, feeder: int) -> float:
        return float(self.drawn_w[feeder] + self._hidden_below_w[feeder])

    @cached_property
    def _hidden_below_w(self) -> Ints:
        return self.tree.below(self.hidden_w)

    def _metered_per_watt(self, feeder: int, change_w: float) -> float:
        """Losses b·P² change by b·(P + P') for each watt between the loads P and P'."""
        return 1 + float(self.copper_per_w[feeder]) * (2 * float(self.metered_w[feeder]) + change_w)


def anchored(before: Anchors | None, snapshot: SiteSnapshot, bonds: Bonds) -> Anchors:
    """The anchors after this moment: those of meters below which nothing moves are new, the others stay."""
    tree, metered_w = snapshot.tree, snapshot.feeders.metered_w
    if before is None or before.tree is not tree:
        before = _nowhere(tree, Units.unknown(snapshot.roster))
    drawn_w = (_below(snapshot, snapshot.power.drawn_w) + tree.below(known_load_w(snapshot))).astype(np.float64)
    units = before.units.of(snapshot.roster).seen(snapshot, bonds)
    fresh = np.isfinite(metered_w) & (_below(snapshot, units.moving_w) <= _UNSETTLED_SHARE * np.nan_to_num(metered_w))
    unseen_w = _below(snapshot, np.where(snapshot.power.basis == Basis.ASSUMED, snapshot.power.drawn_w, 0))
    high = fresh & (metered_w > 0) & (metered_w >= _HIGH_LOAD * before.high_w) & (unseen_w <= _UNSEEN_SHARE * metered_w)
    load_w = np.where(high, metered_w, 1.0)
    loss = np.clip((load_w - (drawn_w - unseen_w)) / load_w, 0.0, _MOST_LOSS)
    return Anchors(
        tree=tree,
        units=units,
        metered_w=np.where(fresh, metered_w, before.metered_w),
        drawn_w=np.where(fresh, drawn_w, before.drawn_w),
        fresh=fresh,
        copper_per_w=np.where(high, _COPPER_SHARE * loss / load_w, before.copper_per_w),
        high_w=np.where(high, np.maximum(metered_w, before.high_w), before.high_w),
    )


def _nowhere(tree: FeederTree, units: Units) -> Anchors:
    unknown, nothing = np.full(len(tree), np.nan), np.zeros(len(tree))
    fresh = np.zeros(len(tree), np.bool_)
    return Anchors(tree, units, unknown, unknown, fresh, nothing, nothing)


def known_load_w(snapshot: SiteSnapshot) -> Ints:
    """What each feeder itself carries beside the miners on it: unmetered loads; miners without a place at the top."""
    load_w = snapshot.tree.unmetered_w.copy()
    load_w[:1] += int(snapshot.power.counted_w[snapshot.roster.placed :].sum())
    return load_w


def _below(snapshot: SiteSnapshot, watts: Ints) -> Ints:
    """A miner's column summed up over each feeder and all below it."""
    tree, placed = snapshot.tree, snapshot.roster.placed
    own = np.bincount(snapshot.roster.feeder[:placed], weights=watts[:placed], minlength=len(tree))
    return tree.below(own.astype(np.int64))
