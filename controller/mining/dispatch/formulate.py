"""From what is known of a site to the problem that dispatch solves: modes, locks, limits, prices."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.dispatch.quote import Quote
from controller.mining.fleet.array import Bools, Codes, Floats, Ints
from controller.mining.fleet.ladder import Idle, Ladders
from controller.mining.fleet.snapshot import SiteSnapshot
from controller.mining.fleet.tree import NO_LIMIT_W
from shared.states import OpState
from shared.units import energy_price_usd_per_wh, hashprice_usd_per_ths_h

SOFT_LOCKS = (Lock.UNSETTLED, Lock.DWELL)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`headroom_pct` of every limit stays free for the spread between curves and machines."""

    switch_usd: float = 0.03
    expected_dwell_h: float = 1.0
    headroom_pct: float = 1.0

    @property
    def switch_usd_h(self) -> float:
        return self.switch_usd / self.expected_dwell_h


@dataclass(frozen=True, kw_only=True)
class Bonds:
    """What is not free to choose, by device: held by a person, changed lately, or under an order to a mode.

    `settling` are those whose change the meters above them may not show yet.
    """

    operator: frozenset[str] = frozenset()
    dwell: frozenset[str] = frozenset()
    settling: frozenset[str] = frozenset()
    ordered: Mapping[str, int] = field(default_factory=dict)


def formulate(
    snapshot: SiteSnapshot,
    quote: Quote,
    caps_w: Mapping[str, int],
    bonds: Bonds,
    policy: Policy,
    *,
    soften: bool = False,
) -> Problem:
    """The problem of the site's placed miners, in the order of the roster.

    With `soften` the locks that only serve calm (SOFT_LOCKS) allow steps down: the way out when limits cannot be kept
    otherwise.
    """
    placed = snapshot.roster.placed
    ladders = snapshot.roster.ladders.take(np.arange(placed))
    ordered = _ordered_modes(snapshot, bonds.ordered)
    current = np.where(ordered >= 0, ordered, current_modes(snapshot))[:placed]
    lock = _locks(snapshot, ladders, current, bonds, ordered)
    softened = np.isin(lock, SOFT_LOCKS) & (current >= 0) & soften
    free = (lock == Lock.NONE) | softened
    counted_w = snapshot.power.counted_w[:placed]
    current_w = np.where(current >= 0, ladders.power_w[current, np.arange(placed)], 0)
    settling = _named(snapshot.roster.device_id[:placed], bonds.settling) & (current >= 0)
    return Problem(
        tree=snapshot.tree,
        row=np.arange(placed),
        feeder=snapshot.roster.feeder[:placed],
        power_w=ladders.power_w,
        hashrate_ths=ladders.hashrate_ths,
        high=np.where(softened, current, ladders.modes - 1),
        current=current,
        free=free,
        lock=lock,
        # An order under way is trusted until its time is over, and what it has just changed until outlets and meters
        # can show it, or the next decision would order it all again; ups wait for what is measured (stage).
        locked_w=np.where((ordered[:placed] >= 0) | settling, current_w, np.maximum(counted_w, current_w)),
        cap_w=_limits_w(snapshot, caps_w, policy),
        reserved_w=_reserved_w(snapshot, ladders, current, free, settling),
        energy_usd_wh=energy_price_usd_per_wh(quote.energy_usd_mwh),
        hashprice_usd_ths_h=hashprice_usd_per_ths_h(quote.hashprice_usd_phs_day),
        switch_usd_h=policy.switch_usd_h,
    )


def current_modes(snapshot: SiteSnapshot) -> Ints:
    """The mode that each miner of the roster is in; -1 where that cannot be said."""
    ladders, state = snapshot.roster.ladders, snapshot.op_state
    everyone = np.arange(len(state))
    target = np.where(ladders.limits, snapshot.value("power_limit_w"), np.nan)
    target = np.where(np.isnan(target), snapshot.value("power_w"), target)
    running = _nearest_running(ladders, target)
    runs = np.isin(state, (OpState.HASHING, OpState.STARTING, OpState.TUNING)) & (ladders.modes > 0)
    idle = (ladders.idle != Idle.NONE) & (state == OpState.SLEEPING)
    unpowered = (ladders.idle == Idle.OUTLET) & snapshot.outlet.off & ~snapshot.fresh
    mode = np.where(runs, running[everyone], -1)
    return np.where(idle | unpowered, 0, mode)


def _nearest_running(ladders: Ladders, target_w: Floats) -> Ints:
    """The running mode nearest to some watts; the top where the watts are not known."""
    first = (ladders.idle != Idle.NONE).astype(np.int64)
    best, distance = np.maximum(ladders.modes - 1, 0), np.full(len(target_w), np.inf)
    for mode in range(len(ladders.power_w)):
        away = np.abs(ladders.power_w[mode] - target_w)
        nearer = (mode >= first) & (mode < ladders.modes) & (away < distance)
        best, distance = np.where(nearer, mode, best), np.where(nearer, away, distance)
    return best


def _ordered_modes(snapshot: SiteSnapshot, ordered: Mapping[str, int]) -> Ints:
    modes = np.full(len(snapshot.roster), -1, np.int64)
    rows = [(snapshot.roster.row[device], mode) for device, mode in ordered.items() if device in snapshot.roster.row]
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
    lock[_named(ids, bonds.dwell)] = Lock.DWELL
    lock[np.isin(state, (OpState.STARTING, OpState.TUNING)) | (ordered[:placed] >= 0)] = Lock.UNSETTLED
    lock[_named(ids, bonds.operator)] = Lock.OPERATOR
    lock[np.isin(state, (OpState.STOPPED_THERMAL, OpState.STOPPED_FAULT, OpState.STOPPED_USER))] = Lock.FAULT
    lock[(current < 0) & (lock == Lock.NONE)] = Lock.UNSEEN
    unpowered = (current == 0) & (ladders.idle == Idle.OUTLET)
    lock[~fresh & ~unpowered] = Lock.UNSEEN
    lock[ladders.modes == 1] = Lock.NO_VERB
    lock[ladders.modes == 0] = Lock.NO_CURVE
    return lock


def _named(ids: tuple[str, ...], names: frozenset[str]) -> Bools:
    return np.fromiter(map(names.__contains__, ids), np.bool_, len(ids))


def _limits_w(snapshot: SiteSnapshot, caps_w: Mapping[str, int], policy: Policy) -> Ints:
    tree = snapshot.tree
    limit = np.where(
        tree.cap_w < NO_LIMIT_W, np.floor(tree.cap_w * (1 - policy.headroom_pct / 100)).astype(np.int64), tree.cap_w
    )
    for feeder, cap_w in caps_w.items():
        at = tree.index[feeder]
        limit[at] = min(int(limit[at]), max(cap_w, 0))
    return limit


def _reserved_w(snapshot: SiteSnapshot, ladders: Ladders, current: Ints, free: Bools, settling: Bools) -> Ints:
    """What feeders carry beside the miners: unmetered loads, unplaced miners, and what meters show above the model.

    The last is believed only while nothing is changing below a meter, or a slow meter would be taken for a load.
    """
    tree, placed = snapshot.tree, len(current)
    reserved = tree.unmetered_w.copy()
    reserved[:1] += int(snapshot.power.counted_w[placed:].sum())
    draws = np.where(free, ladders.power_w[current, np.arange(placed)], snapshot.power.counted_w[:placed])
    feeder = snapshot.roster.feeder[:placed]
    unsettled = (~free & (current >= 0)) | settling
    moving = np.bincount(feeder, weights=unsettled, minlength=len(tree)).astype(np.int64)
    own = np.bincount(feeder, weights=draws, minlength=len(tree)).astype(np.int64)
    modelled = tree.below(own + reserved)
    excess = np.where(tree.below(moving) == 0, snapshot.feeders.metered_w - modelled, np.nan)
    extra = np.zeros(len(tree), np.int64)
    for level in reversed(tree.levels):
        missing = np.nan_to_num(excess[level]) - tree.below(extra)[level]
        extra[level] = np.maximum(np.ceil(missing), 0).astype(np.int64)
    return reserved + extra
