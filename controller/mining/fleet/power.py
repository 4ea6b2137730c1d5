"""What each miner draws, as far as anybody can tell, and on what ground.

A silent, stale or unmeasured miner is never counted as zero: it counts at its worst case until somebody has seen it.
A miner that is starting or tuning counts at its target at least, because ramps overshoot.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from controller.mining.fleet.array import Bools, Codes, Floats, Ints
from controller.mining.fleet.column import Samples
from controller.mining.fleet.ladder import Ladders
from controller.mining.fleet.roster import Roster
from shared.states import OpState, PowerSource


class Basis(IntEnum):
    """Where a counted watt comes from, best first."""

    METERED = 0  # measured at the wall: by the miner's input or its outlet
    REPORTED = 1  # the miner's own guess, or measured behind its power supply
    MODELLED = 2  # from its curve, because it hashes or sleeps but tells no watts
    ASSUMED = 3  # nobody knows: the most that it may draw


@dataclass(frozen=True, eq=False)
class PowerAccount:
    """`counted_w` of each miner, the ground it stands on, and the most that it may draw.

    `drawn_w` is what it draws now, as far as anybody has seen: no more than `counted_w`, which looks ahead to the end
    of a ramp.
    """

    counted_w: Ints
    drawn_w: Ints
    basis: Codes
    worst_w: Ints

    def total_w(self, basis: Basis) -> int:
        return int(self.counted_w[self.basis == basis].sum())

    def miners(self, basis: Basis) -> int:
        return int((self.basis == basis).sum())


@dataclass(frozen=True, eq=False)
class OutletView:
    """What the outlets say of each miner now: `metered_w`, NaN where unmetered, and where the outlet reads as off."""

    metered_w: Floats
    off: Bools


def account(roster: Roster, miners: Samples, fresh: Bools, outlet: OutletView, assumed_draw_w: int) -> PowerAccount:
    """`fresh` marks miners with a recent sample.

    An outlet that reads as off may only echo the last order; with a miner that does not answer either it counts as a
    report of 0 W.
    """
    state, source = miners.code("op_state"), miners.code("power_source")
    reported = np.where(fresh & miners.usable("power_w"), miners.column("power_w"), np.nan)
    limit = np.where(miners.usable("power_limit_w"), miners.column("power_limit_w"), np.nan)
    worst_w = _worst_w(roster.ladders, limit, miners, assumed_draw_w)
    modelled = np.where(fresh, _modelled_w(roster.ladders, miners), np.nan)

    watts = worst_w.astype(np.float64)
    basis = np.full(len(roster), Basis.ASSUMED, np.int8)
    by_wall = np.isin(source, (PowerSource.MEASURED_INPUT, PowerSource.OUTLET))
    for ground, known in (
        (Basis.MODELLED, modelled),
        (Basis.REPORTED, np.where(outlet.off & ~fresh, 0.0, reported)),
        (Basis.METERED, np.where(by_wall, reported, np.nan)),
        (Basis.METERED, outlet.metered_w),
    ):
        there = ~np.isnan(known)
        watts[there], basis[there] = known[there], ground
    ramping = fresh & np.isin(state, (OpState.STARTING, OpState.TUNING))
    target = np.where(np.isnan(limit), worst_w, limit)
    drawn_w = _whole_watts(watts)
    return PowerAccount(np.where(ramping, np.maximum(drawn_w, _whole_watts(target)), drawn_w), drawn_w, basis, worst_w)


def _whole_watts(watts: Floats) -> Ints:
    return np.ceil(np.maximum(watts, 0)).astype(np.int64)


def _worst_w(ladders: Ladders, limit: Floats, miners: Samples, assumed_draw_w: int) -> Ints:
    """The top of the curve or whatever more was ever seen; `assumed_draw_w` at least where no curve is known."""
    last = np.where(np.isfinite(miners.column("power_w")), miners.column("power_w"), 0.0)
    seen = np.maximum(np.nan_to_num(limit), np.where(miners.usable("power_w"), last, 0.0))
    floor = np.where(ladders.modes > 0, ladders.top_w, assumed_draw_w)
    return np.maximum(floor, np.ceil(seen)).astype(np.int64)


def _modelled_w(ladders: Ladders, miners: Samples) -> Floats:
    """Watts of miners that hash or sleep, by their curves; NaN where the curve or the reading does not tell."""
    state = miners.code("op_state")
    modelled = np.full(len(state), np.nan)
    sleeps = (state == OpState.SLEEPING) & (ladders.modes > 0) & (ladders.idle > 0)
    modelled[sleeps] = ladders.power_w[0, sleeps]
    hashes = np.flatnonzero((state == OpState.HASHING) & (ladders.modes > 0) & miners.usable("hashrate_ths"))
    hashrate = miners.column("hashrate_ths")[hashes]
    watts = np.full(len(hashes), np.nan)
    for mode in range(len(ladders.power_w) - 1):
        low, high = ladders.hashrate_ths[mode, hashes], ladders.hashrate_ths[mode + 1, hashes]
        low_w, high_w = ladders.power_w[mode, hashes], ladders.power_w[mode + 1, hashes]
        inside = np.isnan(watts) & (hashrate >= low) & (hashrate <= high) & (high > low)
        share = (hashrate - low) / np.where(high > low, high - low, 1.0)
        watts = np.where(inside, low_w + share * (high_w - low_w), watts)
    modelled[hashes] = watts
    return modelled
