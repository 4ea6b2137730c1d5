"""From what is known of a site to the problem that dispatch solves: modes, locks, limits, prices."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.anchor import Anchors, known_load_w
from controller.mining.dispatch.bond import Bonds, named
from controller.mining.dispatch.mode import current_modes
from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.dispatch.quote import Quote
from controller.mining.fleet.array import Bools, Codes, Floats, Ints
from controller.mining.fleet.ladder import Idle, Ladders
from controller.mining.fleet.power import Basis
from controller.mining.fleet.snapshot import SiteSnapshot
from controller.mining.fleet.tree import NO_LIMIT_W
from shared.states import OpState
from shared.units import energy_price_usd_per_wh, hashprice_usd_per_ths_h

SOFT_LOCKS = (Lock.UNSETTLED, Lock.DWELL)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`headroom_pct` of every limit stays free for the spread between curves and machines.

    `unpriced_usd_phs_day` only weighs hash against changes of mode while nothing has a price; nobody is shown it.
    """

    switch_usd: float = 0.03
    expected_dwell_h: float = 1.0
    headroom_pct: float = 1.0
    unpriced_usd_phs_day: float = 45.0

    @property
    def switch_usd_h(self) -> float:
        return self.switch_usd / self.expected_dwell_h


def formulate(
    snapshot: SiteSnapshot, quote: Quote | None, anchors: Anchors, bonds: Bonds, policy: Policy, *, soften: bool = False
) -> Problem:
    """The problem of the site's placed miners, in the order of the roster, under the limits of its feeders.

    Without a quote energy costs nothing and only hash counts: then nobody goes down but for a limit.

    With `soften` the locks that only serve calm (SOFT_LOCKS) allow steps down: the way out when limits cannot be kept
    otherwise.
    """
    placed = snapshot.roster.placed
    ladders = snapshot.roster.ladders.take(np.arange(placed))
    ordered, settled = modes_named(snapshot, bonds.ordered), modes_named(snapshot, bonds.settling)
    seen = current_modes(snapshot)
    current = np.where(ordered >= 0, ordered, np.where(seen >= 0, seen, settled))[:placed]
    lock = _locks(snapshot, ladders, current, bonds, ordered)
    softened = np.isin(lock, SOFT_LOCKS) & (current >= 0) & soften
    settling = settled[:placed] >= 0
    unsettled = settling | (ordered[:placed] >= 0)
    power_w = _power_w(snapshot, ladders, current, anchors.units.share[:placed], unsettled)
    current_w = np.where(current >= 0, power_w[current, np.arange(placed)], 0)
    counted_w = snapshot.power.counted_w[:placed]
    return Problem(
        tree=snapshot.tree,
        row=np.arange(placed),
        feeder=snapshot.roster.feeder[:placed],
        power_w=power_w,
        hashrate_ths=ladders.hashrate_ths,
        high=np.where(softened, current, ladders.modes - 1),
        current=current,
        free=(lock == Lock.NONE) | softened,
        lock=lock,
        # An order under way is trusted until its time is over, and what it has just changed until outlets and meters
        # can show it, or the next decision would order it all again; ups wait for what is measured (stage).
        locked_w=np.where(unsettled, current_w, np.maximum(counted_w, current_w)),
        cap_w=_limits_w(snapshot, policy),
        reserved_w=known_load_w(snapshot) + anchors.hidden_w,
        energy_usd_wh=0.0 if quote is None else energy_price_usd_per_wh(quote.energy_usd_mwh),
        hashprice_usd_ths_h=hashprice_usd_per_ths_h(
            policy.unpriced_usd_phs_day if quote is None else quote.hashprice_usd_phs_day
        ),
        switch_usd_h=policy.switch_usd_h,
    )


def modes_named(snapshot: SiteSnapshot, named_modes: Mapping[str, int]) -> Ints:
    """The mode of each miner of the roster that is named, -1 for the others."""
    modes, row_of = np.full(len(snapshot.roster), -1, np.int64), snapshot.roster.row
    rows = [(row_of[device], mode) for device, mode in named_modes.items() if device in row_of]
    if rows:
        row, mode = np.array(rows, np.int64).T
        modes[row] = mode
    return modes


def _locks(snapshot: SiteSnapshot, ladders: Ladders, current: Ints, bonds: Bonds, ordered: Ints) -> Codes:
    """The gravest lock of each placed miner; later lines overrule earlier ones."""
    placed = len(current)
    state, fresh = snapshot.op_state[:placed], snapshot.fresh[:placed]
    ids = snapshot.roster.device_id[:placed]
    lock = np.full(placed, Lock.NONE, np.int8)
    lock[named(ids, bonds.dwell | bonds.disobeyed)] = Lock.DWELL
    lock[np.isin(state, (OpState.STARTING, OpState.TUNING)) | (ordered[:placed] >= 0)] = Lock.UNSETTLED
    lock[named(ids, bonds.operator)] = Lock.OPERATOR
    lock[np.isin(state, (OpState.STOPPED_THERMAL, OpState.STOPPED_FAULT, OpState.STOPPED_USER))] = Lock.FAULT
    lock[(current < 0) & (lock == Lock.NONE)] = Lock.UNSEEN
    unpowered = (current == 0) & (ladders.idle == Idle.OUTLET)
    lock[~fresh & ~unpowered] = Lock.UNSEEN
    lock[ladders.modes == 1] = Lock.NO_VERB
    lock[ladders.modes == 0] = Lock.NO_CURVE
    return lock


def _limits_w(snapshot: SiteSnapshot, policy: Policy) -> Ints:
    cap_w = snapshot.tree.cap_w
    return np.where(cap_w < NO_LIMIT_W, np.floor(cap_w * (1 - policy.headroom_pct / 100)).astype(np.int64), cap_w)


def _power_w(snapshot: SiteSnapshot, ladders: Ladders, current: Ints, unit_share: Floats, unsettled: Bools) -> Ints:
    """[M, n]: the curves, each moved to what its unit really draws, awake by its share of the curve, asleep as seen."""
    placed = len(current)
    drawn_w = snapshot.power.drawn_w[:placed]
    power_w = np.rint(ladders.power_w * unit_share).astype(np.int64)
    idles = ladders.idle != Idle.NONE
    rests = idles & (current == 0) & (snapshot.op_state[:placed] == OpState.SLEEPING) & ~unsettled
    rests &= snapshot.power.basis[:placed] != Basis.ASSUMED
    lowest_w = power_w[np.clip(ladders.modes - 1, 0, 1), np.arange(placed)]
    idle_w = np.where(rests, np.minimum(drawn_w, np.maximum(lowest_w - 1, 0)), ladders.power_w[0])
    power_w[0] = np.where(idles, idle_w, power_w[0])
    return power_w
