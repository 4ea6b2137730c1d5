"""What shedding would do now, in the words of the views."""

import statistics
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from controller.commands.authority import AuthorityPolicy, confirmation_for
from controller.commands.model import Confirmation, Reach
from controller.mining.dispatch.anchor import Anchors
from controller.mining.dispatch.bond import Bonds
from controller.mining.dispatch.formulate import Policy, formulate
from controller.mining.dispatch.landing import Aim, under_targets
from controller.mining.dispatch.problem import Lock
from controller.mining.dispatch.quote import Quote
from controller.mining.energy import Curtailment
from controller.mining.energy import CurtailmentPreview as Effect
from controller.mining.energy import preview as effect_of
from controller.mining.energy.verification import MeterSample, meter_sample
from controller.mining.fleet import SiteSnapshot
from controller.mining.refusal import Refusal
from controller.views.command import Check, Excluded
from controller.views.curtailment import CurtailmentRequest
from shared.actions import Sleep
from shared.errors import Denied
from shared.units import W_PER_KW

DEFAULT_EXPECTED_S = 120.0
SOONEST_DEADLINE_S = 60.0
_LOCKS = {
    Lock.UNSEEN: "silent, counted at their worst case",
    Lock.UNSETTLED: "changing already",
    Lock.FAULT: "stopped by a fault or by hand",
    Lock.NO_CURVE: "of unknown power curve",
    Lock.NO_VERB: "cannot be told another mode",
    Lock.DWELL: "changed only lately",
    Lock.OPERATOR: "held by a person",
}


class Plan(NamedTuple):
    """A reduction by the meter, and the effect on the miners that dispatch would choose for it."""

    feeder: str
    baseline_w: int
    target_w: int
    effect: Effect
    expected_s: float

    @property
    def reduction_w(self) -> int:
        return self.baseline_w - self.target_w

    @property
    def land_within_s(self) -> float:
        return max(SOONEST_DEADLINE_S, 2 * self.expected_s)


class Ground(NamedTuple):
    """What a plan is made from."""

    snapshot: SiteSnapshot
    quote: Quote | None
    targets_w: Mapping[str, int]
    anchors: Anchors
    bonds: Bonds
    past: tuple[Curtailment, ...]


def planned(ground: Ground, request: CurtailmentRequest) -> Plan:
    """Denied `curtailment.meter-unusable`, `curtailment.target-above-load`, `curtailment.below-floor`."""
    snapshot = ground.snapshot
    feeder = _main_feeder(snapshot)
    sample = meter_sample(snapshot, feeder)
    if sample.power_w is None:
        raise Denied(Refusal.METER_UNUSABLE, sample.reason)
    limits = formulate(snapshot, ground.quote, ground.anchors, ground.bonds, Policy(), soften=True)
    problem = under_targets(limits, ground.anchors, ground.targets_w, ground.bonds, snapshot, Aim()).problem
    wanted_w = None if request.reduction_w is None else round(sample.power_w - request.reduction_w)
    effect = effect_of(snapshot, problem, ground.anchors, feeder, wanted_w)
    margin_w = effect.uncertainty_w if wanted_w is None else 0  # nobody can promise the last watt of everything
    return Plan(
        feeder=feeder,
        baseline_w=round(sample.power_w),
        target_w=effect.target_w + margin_w,
        effect=effect,
        expected_s=_expected_s(ground.past, snapshot),
    )


def _main_feeder(snapshot: SiteSnapshot) -> str:
    """The root of the tree, with a meter where there is a choice."""
    roots = snapshot.tree.levels[0].tolist()
    root: int = next((root for root in roots if snapshot.tree.meters[root]), roots[0])
    return snapshot.tree.ids[root]


def _expected_s(past: Iterable[Curtailment], snapshot: SiteSnapshot) -> float:
    """The median of what former ones took, else the slowest read-back that the drivers promise."""
    took = [state.time_to_target_s for state in past if state.time_to_target_s is not None]
    if took:
        return statistics.median(took)
    promised = (record.confirm_within_s.get(Sleep.verb) for record in snapshot.roster.record)
    return max((seconds for seconds in promised if seconds is not None), default=DEFAULT_EXPECTED_S)


def confirmation_of(plan: Plan, policy: AuthorityPolicy) -> Confirmation:
    """As for an order of the same reach."""
    return confirmation_for((Sleep(),), Reach(plan.effect.miners, plan.reduction_w, 0), policy)


def method_of(effect: Effect) -> str:
    parts = [f"{effect.idled:,} to sleep"] if effect.idled else []
    parts += [f"{effect.limited:,} limited"] if effect.limited else []
    return ", ".join(parts or ["no miner"]) + ", least costly first"


def checks_of(plan: Plan) -> tuple[Check, ...]:
    certificate = plan.effect.decision.certificate
    kept = "all feeders stay within their limits" if certificate.holds else "; ".join(certificate.violations[:3])
    reached = f"the miners that may be ordered bring {plan.feeder} to {_power(plan.effect.expected_w)}"
    return (
        Check(kept, passed=certificate.holds),
        Check(reached, passed=plan.effect.expected_w <= plan.target_w),
        Check(f"its meter reads {_power(plan.baseline_w)} and will judge the landing", passed=True),
    )


def excluded_of(effect: Effect) -> tuple[Excluded, ...]:
    return tuple(Excluded(_LOCKS[lock], count) for lock, count in effect.excluded.items() if count)


def confirm_text(plan: Plan) -> str:
    """The amount, as a person types it."""
    return _power(plan.reduction_w)


def _power(watts: float) -> str:
    kilowatts = watts / W_PER_KW
    return f"{kilowatts / 1000:.2f} MW" if abs(kilowatts) >= 1000 else f"{kilowatts:.0f} kW"


def current_sample(snapshot: SiteSnapshot, feeder: str) -> MeterSample:
    """The feeder's meter now; a feeder that left the site's file has none."""
    if feeder not in snapshot.tree.index:
        return MeterSample(None, 0, f"the site's file no longer has feeder {feeder}")
    return meter_sample(snapshot, feeder)
