"""The electrical side of a site: feeders against limits, meters against miners, prices, the cap in force."""

from typing import NamedTuple

import numpy as np

from controller.mining.energy import CurtailmentLedger
from controller.mining.fleet import SiteSnapshot
from controller.mining.fleet.array import Floats, Ints
from controller.mining.fleet.tree import NO_LIMIT_W
from controller.operations.market import market_of
from controller.operations.meter import main_meters, meter_views
from controller.operations.moment import Moment, Moments
from controller.operations.ports import PriceFeed
from controller.views.energy import EnergyState, FeederView, PricePoint
from controller.views.figure import Figure, missing
from controller.views.frame import FleetFrame
from shared.clock import Clock
from shared.quality import Quality

_NEVER = np.iinfo(np.int64).max


class LiveEnergy:
    """Fills `controller.views.ports.Energy`; one state a moment."""

    def __init__(self, moments: Moments, ledger: CurtailmentLedger, prices: PriceFeed, clock: Clock) -> None:
        self._moments = moments
        self._ledger = ledger
        self._prices = prices
        self._clock = clock
        self._kept: dict[str, tuple[Moment, EnergyState]] = {}

    def state(self, site: str) -> EnergyState:
        moment = self._moments.of(site)
        kept = self._kept.get(site)
        if kept is None or kept[0] is not moment:
            kept = self._kept[site] = (moment, self._made(site, moment))
        return kept[1]

    async def prices(self, site: str, from_ms: int, to_ms: int) -> tuple[PricePoint, ...]:
        self._moments.of(site)
        now_ms = self._clock.now_ms()
        return tuple(
            PricePoint(start_ms, price, start_ms > now_ms) for start_ms, price in self._prices.between(from_ms, to_ms)
        )

    def _made(self, site: str, moment: Moment) -> EnergyState:
        snapshot, frame = moment
        miners_w = _miners_w(snapshot, frame)
        cap_w, cap_reason = self._cap(snapshot)
        return EnergyState(
            site=site,
            at_ms=frame.at_ms,
            power_w=site_power(snapshot),
            market=market_of(self._prices, frame),
            feeders=_feeders(snapshot, frame),
            meters=meter_views(snapshot, miners_w),
            cap_w=cap_w,
            cap_reason=cap_reason,
        )

    def _cap(self, snapshot: SiteSnapshot) -> tuple[float | None, str]:
        """What the top of the tree may draw now, and what says so; none where one of its roots has no limit."""
        tree, site = snapshot.tree, snapshot.site.id
        asked = self._ledger.caps_w(site, snapshot.taken_at_ms)
        caps = [min(int(tree.cap_w[root]), asked.get(tree.ids[root], NO_LIMIT_W)) for root in tree.levels[0]]
        if any(cap >= NO_LIMIT_W for cap in caps):
            return None, ""
        binding = [tree.ids[root] for root, cap in zip(tree.levels[0], caps, strict=True) if cap < tree.cap_w[root]]
        if not binding:
            return float(sum(caps)), "limit of the site's connection"
        reasons = [state.reason for state in self._ledger.listed(site) if state.cap_w and state.feeder in binding]
        return float(sum(caps)), "curtailment: " + "; ".join(dict.fromkeys(reasons))


def site_power(snapshot: SiteSnapshot) -> Figure:
    """What the meters at the top of the tree add up to; missing as soon as one of them cannot be used."""
    meters = main_meters(snapshot)
    if not all(meters):
        return missing("no meter hangs at the top of the site's electrical tree")
    names, power_w = ", ".join(meters), snapshot.totals.meter_w
    rows = [snapshot.meters.keys.index(meter) for meter in meters]
    if power_w is None:
        return missing(f"meter {names} is stale or its value may not be used", source=_named(names))
    oldest_ms = int(snapshot.meters.seen_ms[rows].min())
    return Figure(value=power_w, source=_named(names), observed_at_ms=oldest_ms)


def _named(meter: str) -> str:
    """`meter m1`, but not `meter meter-1`."""
    return meter if meter.startswith("meter") else f"meter {meter}"


def _miners_w(snapshot: SiteSnapshot, frame: FleetFrame) -> Ints:
    """What the miners below each feeder say they draw; silent ones add nothing."""
    return _sum_below(snapshot, np.where(frame.known, np.nan_to_num(frame.power_w), 0.0))


def _sum_below(snapshot: SiteSnapshot, values: Floats) -> Ints:
    """A miner's column summed up over each feeder and all below it, in whole units."""
    placed = snapshot.roster.placed
    own = np.bincount(snapshot.roster.feeder[:placed], weights=values[:placed], minlength=len(snapshot.tree))
    return snapshot.tree.below(np.rint(own).astype(np.int64))


class _Below(NamedTuple):
    """Of each feeder: the oldest reading below it, and how many miners nobody has seen."""

    oldest_ms: Ints
    silent: Ints


def _below(snapshot: SiteSnapshot, frame: FleetFrame) -> _Below:
    tree, roster = snapshot.tree, snapshot.roster
    oldest_ms = np.full(len(tree), _NEVER, np.int64)
    rows = np.flatnonzero(frame.known[: roster.placed])
    np.minimum.at(oldest_ms, roster.feeder[rows], frame.observed_at_ms[rows])
    for level in reversed(tree.levels[1:]):
        np.minimum.at(oldest_ms, tree.parent[level], oldest_ms[level])
    return _Below(oldest_ms, _sum_below(snapshot, (~frame.known).astype(np.float64)))


def _feeders(snapshot: SiteSnapshot, frame: FleetFrame) -> tuple[FeederView, ...]:
    tree, loads, below = snapshot.tree, snapshot.feeders, _below(snapshot, frame)
    described = {feeder.id: feeder for feeder in snapshot.site.feeder}
    seen_ms = dict(zip(snapshot.meters.keys, snapshot.meters.seen_ms.tolist(), strict=True))
    summed_w, safe_w = (loads.counted_w - loads.assumed_w).tolist(), loads.safe_w.tolist()
    metered_w, metered = loads.metered_w.tolist(), loads.metered.tolist()
    views = []
    for at, feeder in enumerate(tree.ids):
        meter, parent, cap_w = tree.meters[at], int(tree.parent[at]), int(tree.cap_w[at])
        if metered[at]:
            load = Figure(value=metered_w[at], source=_named(meter), observed_at_ms=seen_ms[meter])
        else:
            load = _summed(summed_w[at], int(loads.miners[at]), int(below.silent[at]), int(below.oldest_ms[at]), meter)
        views.append(
            FeederView(
                id=feeder,
                name=described[feeder].name or feeder,
                kind=tree.kinds[at],
                parent=tree.ids[parent] if parent >= 0 else None,
                load_w=load,
                worst_case_w=float(safe_w[at]),
                limit_w=None if cap_w >= NO_LIMIT_W else float(cap_w),
                miners=int(loads.miners[at]),
            )
        )
    return tuple(views)


def _summed(load_w: int, miners: int, silent: int, oldest_ms: int, meter: str) -> Figure:
    notes = [f"{silent:,} silent miners count as 0"] if silent else []
    if meter:
        notes.append(f"meter {meter} is stale or its value may not be used")
    if miners and silent == miners:
        return missing("no miner below it reports", source=f"sum of {miners:,} miners")
    return Figure(
        value=float(load_w),
        source=f"sum of {miners:,} miners",
        observed_at_ms=None if oldest_ms == _NEVER else oldest_ms,
        quality=Quality.ESTIMATED,
        note="; ".join(notes),
    )
