"""What a curtailment would do before anybody orders it: devices, watts with uncertainty, hash, money, who stays out."""

from dataclasses import dataclass, replace

import numpy as np

from controller.mining.dispatch.anchor import Anchors
from controller.mining.dispatch.decision import Decision, decide
from controller.mining.dispatch.landing import Aim, bound_load_w
from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.fleet.array import Floats, Ints
from controller.mining.fleet.power import Basis
from controller.mining.fleet.snapshot import SiteSnapshot
from controller.mining.refusal import Refusal
from shared.errors import Denied

_SPREAD: dict[Basis, float] = {Basis.METERED: 0.01, Basis.REPORTED: 0.05, Basis.MODELLED: 0.08, Basis.ASSUMED: 0.15}


@dataclass(frozen=True, eq=False, kw_only=True)
class CurtailmentPreview:
    """`now_w`, `target_w` and `expected_w` are figures of the feeder's meter.

    `uncertainty_w` adds the spread of each watt's source as if all erred one way. `cost_usd_h` is the profit lost per
    hour, below zero where shedding earns. `excluded` counts miners that stay as they are, by reason.
    """

    feeder: str
    target_w: int
    now_w: int
    expected_w: int
    uncertainty_w: int
    miners: int
    of_miners: int
    limited: int
    idled: int
    hashrate_lost_ths: float
    cost_usd_h: float
    excluded: dict[Lock, int]
    modes: Ints
    decision: Decision

    @property
    def reduction_w(self) -> int:
        return self.now_w - self.expected_w


def preview(
    snapshot: SiteSnapshot, problem: Problem, anchors: Anchors, feeder: str, target_w: int | None
) -> CurtailmentPreview:
    """The least costly way to bring `feeder` to `target_w`, or as low as it goes where None.

    Denied `curtailment.unknown-feeder`, `curtailment.target-above-load`, `curtailment.below-floor`.
    """
    if feeder not in problem.tree.index:
        raise Denied(Refusal.UNKNOWN_FEEDER, f"site {snapshot.site.id} has no feeder {feeder!r}")
    at = problem.tree.index[feeder]
    now = np.where(problem.free, problem.current, 0)

    def shown_w(load_w: Ints) -> int:
        return round(anchors.meter_w(at, int(load_w[at]))) if anchors.knows(at) else int(load_w[at])

    now_w, floor_w = shown_w(problem.load_w(now)), shown_w(problem.base_load_w)
    target_w = floor_w if target_w is None else target_w
    _check(feeder, target_w, now_w, floor_w)
    cap_w = problem.cap_w.copy()
    cap_w[at] = min(int(cap_w[at]), bound_load_w(problem, anchors, at, target_w, Aim()))
    capped = replace(problem, cap_w=cap_w, high=np.minimum(problem.high, np.where(problem.free, now, problem.high)))
    decision = decide(capped)
    first = int(np.searchsorted(problem.feeder, at))
    last = int(np.searchsorted(problem.feeder, problem.tree.end[at]))
    below = np.zeros(len(problem), np.bool_)
    below[first:last] = True
    changed = below & problem.free & (decision.mode != now)
    step_w = problem.draw_w(now) - problem.draw_w(decision.mode)
    spread = np.array([_SPREAD[basis] for basis in Basis])[snapshot.power.basis[problem.row]]
    idled = changed & (problem.hashrate_ths[decision.mode, np.arange(len(problem))] == 0)
    return CurtailmentPreview(
        feeder=feeder,
        target_w=target_w,
        now_w=now_w,
        expected_w=shown_w(decision.certificate.load_w),
        uncertainty_w=round(float((np.abs(step_w) * spread)[changed].sum())),
        miners=int(changed.sum()),
        of_miners=last - first,
        limited=int((changed & ~idled).sum()),
        idled=int(idled.sum()),
        hashrate_lost_ths=float((_hashrate(problem, now) - _hashrate(problem, decision.mode))[changed].sum()),
        cost_usd_h=float((_earned(problem, now) - _earned(problem, decision.mode))[changed].sum()),
        excluded={lock: int((below & (problem.lock == lock) & ~problem.free).sum()) for lock in Lock if lock},
        modes=decision.mode,
        decision=decision,
    )


def _check(feeder: str, target_w: int, now_w: int, floor_w: int) -> None:
    if target_w >= now_w:
        raise Denied(Refusal.TARGET_ABOVE_LOAD, f"feeder {feeder} carries {now_w:,} W, no more than {target_w:,} W")
    if target_w < floor_w:
        raise Denied(
            Refusal.BELOW_FLOOR,
            f"feeder {feeder} cannot go below {floor_w:,} W: the rest sleeps already or may not be ordered",
        )


def _hashrate(problem: Problem, mode: Ints) -> Floats:
    return np.asarray(problem.hashrate_ths[mode, np.arange(len(problem))], np.float64)


def _earned(problem: Problem, mode: Ints) -> Floats:
    watts = problem.power_w[mode, np.arange(len(problem))]
    return _hashrate(problem, mode) * problem.hashprice_usd_ths_h - watts * problem.energy_usd_wh
