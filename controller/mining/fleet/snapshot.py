"""A site at one moment: immutable, with ages judged at that moment, from which every sum and decision is made."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from controller.mining.fleet.array import Bools, Codes, Floats
from controller.mining.fleet.column import Samples
from controller.mining.fleet.feeder import FeederLoads, feeder_loads
from controller.mining.fleet.power import Basis, OutletView, PowerAccount, account
from controller.mining.fleet.roster import Roster
from controller.mining.fleet.tree import FeederTree
from shared.quality import Quality
from shared.site import Site
from shared.states import OpState, Reach
from shared.units import efficiency_j_per_th

T = TypeVar("T", OpState, Reach)


@dataclass(frozen=True, kw_only=True)
class FleetLimits:
    """When a sample is too old to act on, and what a miner of unknown curve may draw."""

    miner_stale_after_s: float = 60.0
    meter_stale_after_s: float = 15.0
    outlet_stale_after_s: float = 60.0
    assumed_draw_w: int = 4_000


@dataclass(frozen=True, kw_only=True)
class SiteTotals:
    """`None` is "not known". `silent` miners have no fresh sample; `assumed_w` is what they and others may draw."""

    miners: int
    reporting: int
    silent: int
    without_watts: int
    hashrate_ths: float | None
    counted_w: int
    metered_miners_w: int
    reported_w: int
    modelled_w: int
    assumed_w: int
    meter_w: float | None
    efficiency_j_per_th: float | None
    by_op_state: dict[OpState, int]
    by_reach: dict[Reach, int]
    hottest_chip_c: float | None
    hottest_inlet_c: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteSnapshot:
    """`snapshot_id` names the state; rows of `miners` are those of `roster`, `node` the reporting node's position in
    `nodes`.
    """

    snapshot_id: str
    taken_at_ms: int
    site: Site
    tree: FeederTree
    roster: Roster
    limits: FleetLimits
    miners: Samples
    meters: Samples
    outlets: Samples
    boards: Samples
    nodes: tuple[str, ...]
    unlisted: tuple[str, ...]

    @cached_property
    def age_s(self) -> Floats:
        return self.miners.age_s(self.taken_at_ms)

    @cached_property
    def fresh(self) -> Bools:
        """Miners that answered and not too long ago."""
        answered = self.miners.code("reach") == Reach.UP
        return np.asarray(answered & (self.age_s <= self.limits.miner_stale_after_s))

    def value(self, field: str) -> Floats:
        """A miner column for rules and sums: NaN where absent, suspect or stale."""
        return np.where(self.fresh & self.miners.usable(field), self.miners.column(field), np.nan)

    def quality_of(self, field: str) -> Codes:
        """The Quality of a miner column with age considered."""
        quality = self.miners.quality_of(field)
        stale = (quality != Quality.ABSENT) & (self.age_s > self.limits.miner_stale_after_s)
        return np.where(stale, np.int8(Quality.STALE), quality)

    @cached_property
    def op_state(self) -> Codes:
        """The OpState of each miner; UNKNOWN where nobody has looked lately."""
        return np.where(self.fresh, self.miners.code("op_state"), OpState.UNKNOWN).astype(np.int8)

    @cached_property
    def outlet(self) -> OutletView:
        rows = self.roster.outlet
        if not len(self.outlets):
            return OutletView(np.full(len(rows), np.nan), np.zeros(len(rows), np.bool_))
        fresh = (self.outlets.code("reach") == Reach.UP) & (
            self.outlets.age_s(self.taken_at_ms) <= self.limits.outlet_stale_after_s
        )
        watts = np.where(fresh & self.outlets.usable("power_w"), self.outlets.column("power_w"), np.nan)
        off = fresh & (self.outlets.column("on") == 0)
        return OutletView(np.where(rows >= 0, watts[rows], np.nan), (rows >= 0) & off[rows])

    @cached_property
    def power(self) -> PowerAccount:
        return account(self.roster, self.miners, self.fresh, self.outlet, self.limits.assumed_draw_w)

    @cached_property
    def meter_w(self) -> Floats:
        """Power of each meter; NaN where it may not be used now."""
        fresh = (self.meters.code("reach") == Reach.UP) & (
            self.meters.age_s(self.taken_at_ms) <= self.limits.meter_stale_after_s
        )
        return np.where(fresh & self.meters.usable("power_w"), self.meters.column("power_w"), np.nan)

    @cached_property
    def feeders(self) -> FeederLoads:
        watts = dict(zip(self.meters.keys, self.meter_w.tolist(), strict=True))
        metered = np.array([watts.get(meter, np.nan) for meter in self.tree.meters], np.float64)
        return feeder_loads(self.tree, self.roster, self.power, metered)

    @cached_property
    def totals(self) -> SiteTotals:
        hashrate, power = self.value("hashrate_ths"), self.power
        known = ~np.isnan(hashrate)
        hashrate_ths = float(hashrate[known].sum()) if known.any() else None
        meter_w = self._root_meter_w()
        return SiteTotals(
            miners=len(self.roster),
            reporting=int(self.fresh.sum()),
            silent=int((~self.fresh).sum()),
            without_watts=power.miners(Basis.ASSUMED),
            hashrate_ths=hashrate_ths,
            counted_w=int(power.counted_w.sum() + self.tree.unmetered_w.sum()),
            metered_miners_w=power.total_w(Basis.METERED),
            reported_w=power.total_w(Basis.REPORTED),
            modelled_w=power.total_w(Basis.MODELLED),
            assumed_w=power.total_w(Basis.ASSUMED),
            meter_w=meter_w,
            efficiency_j_per_th=efficiency_j_per_th(meter_w, hashrate_ths),
            by_op_state=_counts(self.op_state, OpState),
            by_reach=_counts(self.miners.code("reach"), Reach),
            hottest_chip_c=_highest(self.value("chip_temp_c")),
            hottest_inlet_c=_highest(self.value("inlet_temp_c")),
        )

    def _root_meter_w(self) -> float | None:
        """What the meters at the top of the tree add up to; None unless each root has one that may be used."""
        at_roots = self.feeders.metered_w[self.tree.parent < 0]
        total = float(at_roots.sum())
        return total if at_roots.size and np.isfinite(total) else None


def _counts(codes: npt.NDArray[np.integer[Any]], kind: type[T]) -> dict[T, int]:
    counts = np.bincount(codes, minlength=len(kind))
    return {member: int(counts[member]) for member in kind}


def _highest(column: Floats) -> float | None:
    known = column[~np.isnan(column)]
    return float(known.max()) if known.size else None
