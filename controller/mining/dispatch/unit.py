"""What each unit draws against its curve, remembered for when it sleeps and climbs, and which units are under way."""

from dataclasses import dataclass, replace

import numpy as np

from controller.mining.dispatch.bond import Bonds, named
from controller.mining.dispatch.mode import current_modes
from controller.mining.fleet.array import Floats, Ints
from controller.mining.fleet.power import Basis
from controller.mining.fleet.roster import Roster
from controller.mining.fleet.snapshot import SiteSnapshot
from shared.states import OpState

_SHARES = (0.3, 1.3)  # of its curve, that a unit may draw; anything else is a reading that errs
_ARRIVED = 0.95  # of what it drew before: from there on it climbs no more
_CLIMBS_MS = 900_000  # longer than the ramp of any firmware
_ASLEEP, _LONG_SINCE = -1, 0


@dataclass(frozen=True, eq=False)
class Units:
    """One element a miner of the roster. `share` is what it draws of its curve's watts; `awake_ms` since when it has
    hashed, 0 where nobody saw it wake, -1 while it does not. `moving_w`: watts by which its draw may change by itself.
    """

    roster: Roster
    share: Floats
    awake_ms: Ints
    moving_w: Ints

    @classmethod
    def unknown(cls, roster: Roster) -> "Units":
        nothing = np.zeros(len(roster), np.int64)
        return cls(roster, np.ones(len(roster)), np.full(len(roster), _LONG_SINCE, np.int64), nothing)

    def of(self, roster: Roster) -> "Units":
        """The same for another roster: its new miners are unknown."""
        if roster is self.roster:
            return self
        known = [(row, self.roster.row[name]) for row, name in enumerate(roster.device_id) if name in self.roster.row]
        units = Units.unknown(roster)
        if known:
            to, source = np.array(known, np.int64).T
            units.share[to], units.awake_ms[to] = self.share[source], self.awake_ms[source]
        return units

    def seen(self, snapshot: SiteSnapshot, bonds: Bonds) -> "Units":
        """Learn from every miner that hashes and has not been ordered lately.

        Firmware may say that it hashes long before it draws what it will: one that woke lately and has not yet come
        near its former share keeps that.
        """
        state, power = snapshot.op_state, snapshot.power
        hashes = state == OpState.HASHING
        woke = hashes & (self.awake_ms == _ASLEEP)
        awake_ms = np.where(woke, snapshot.taken_at_ms, self.awake_ms)
        awake_ms = np.where(hashes | (state == OpState.UNKNOWN), awake_ms, _ASLEEP)
        under_way = named(snapshot.roster.device_id, bonds.settling.keys() | bonds.ordered.keys())
        ramping = under_way | np.isin(state, (OpState.STARTING, OpState.TUNING))
        curve_w = _curve_w(snapshot)
        share = np.clip(power.drawn_w / np.maximum(curve_w, 1), *_SHARES)
        climbing = hashes & (snapshot.taken_at_ms - awake_ms < _CLIMBS_MS) & (share < _ARRIVED * self.share)
        steady = hashes & ~ramping & ~climbing & (curve_w > 0) & (power.basis != Basis.ASSUMED)
        missing_w = np.rint(np.maximum(curve_w * self.share - power.drawn_w, 0)).astype(np.int64)
        return replace(
            self,
            share=np.where(steady, share, self.share),
            awake_ms=awake_ms,
            moving_w=np.where(ramping, power.worst_w, np.where(climbing, missing_w, 0)),
        )


def _curve_w(snapshot: SiteSnapshot) -> Ints:
    """What the curve says of the mode that each miner is in; of its lowest where that is not known."""
    mode = current_modes(snapshot)
    return np.asarray(snapshot.roster.ladders.power_w[np.maximum(mode, 0), np.arange(len(mode))], np.int64)
