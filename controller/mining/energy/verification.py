"""What a feeder's meter says about a curtailment. Only the meter confirms; without it the answer is unknown."""

from dataclasses import dataclass

import numpy as np

from controller.mining.energy.event import (
    AnyCurtailmentEvent,
    CurtailmentEnded,
    LoadRestored,
    RestoreUnconfirmed,
    TargetLost,
    TargetMissed,
    TargetReached,
    TargetUnseen,
)
from controller.mining.energy.model import CAPPING, Curtailment, Phase
from controller.mining.fleet.snapshot import SiteSnapshot

SCHEDULE = "schedule"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """`tolerance_pct` of the target may stand above it; `samples` in a row must agree."""

    tolerance_pct: float = 0.5
    samples: int = 2
    restore_within_s: float = 1_800.0
    restore_tolerance_pct: float = 5.0


@dataclass(frozen=True)
class MeterSample:
    """`power_w` is None where the meter may not be used now, and `reason` says why."""

    power_w: float | None
    observed_at_ms: int
    reason: str = ""


@dataclass(frozen=True)
class Streak:
    """How many samples in a row stood at or below the target (`low`) or above it (`high`)."""

    low: int = 0
    high: int = 0
    first_low_ms: int = 0
    last_ms: int = -1


def meter_sample(snapshot: SiteSnapshot, feeder: str) -> MeterSample:
    """The meter of a feeder of this site at this moment."""
    at = snapshot.tree.index[feeder]
    meter = snapshot.tree.meters[at]
    if not meter:
        return MeterSample(None, 0, f"no meter hangs on feeder {feeder}")
    row = snapshot.meters.keys.index(meter)
    seen_ms, power_w = int(snapshot.meters.seen_ms[row]), float(snapshot.feeders.metered_w[at])
    if np.isnan(power_w):
        return MeterSample(None, seen_ms, f"meter {meter} is stale or its value may not be used")
    return MeterSample(power_w, seen_ms)


def judge(
    state: Curtailment, streak: Streak, sample: MeterSample, now_ms: int, proof: Proof, wanted_w: float | None = None
) -> tuple[Streak, AnyCurtailmentEvent | None]:
    """The event that a sample, or the passing of time, brings about; None where nothing new is known.

    `wanted_w` is what dispatch plans for the feeder while it restores; None where it does not plan.
    """
    if state.phase in CAPPING:
        if state.ends_at_ms is not None and now_ms >= state.ends_at_ms:
            return Streak(), CurtailmentEnded(
                curtailment_id=state.curtailment_id, at_ms=now_ms, actor=SCHEDULE, reason="its time is over"
            )
        streak = _counted(state, streak, sample, proof)
        return streak, _while_capping(state, streak, sample, now_ms, proof)
    if state.phase is Phase.RESTORING:
        return streak, _while_restoring(state, sample, now_ms, proof, wanted_w)
    return streak, None


def _counted(state: Curtailment, streak: Streak, sample: MeterSample, proof: Proof) -> Streak:
    if sample.power_w is None:
        return Streak(last_ms=streak.last_ms)
    begun_ms = state.started_at_ms or 0
    if sample.observed_at_ms <= max(streak.last_ms, begun_ms):
        return streak
    if sample.power_w > state.target_w * (1 + proof.tolerance_pct / 100):
        return Streak(high=streak.high + 1, last_ms=sample.observed_at_ms)
    first_ms = streak.first_low_ms if streak.low else sample.observed_at_ms
    return Streak(low=streak.low + 1, first_low_ms=first_ms, last_ms=sample.observed_at_ms)


def _while_capping(
    state: Curtailment, streak: Streak, sample: MeterSample, now_ms: int, proof: Proof
) -> AnyCurtailmentEvent | None:
    name = state.curtailment_id
    late = state.land_by_ms is not None and now_ms >= state.land_by_ms
    if sample.power_w is None:
        if state.phase is Phase.UNKNOWN or (state.phase is Phase.SHEDDING and not late):
            return None
        return TargetUnseen(curtailment_id=name, at_ms=now_ms, reason=sample.reason)
    if streak.low >= proof.samples and state.phase is not Phase.HOLDING:
        return TargetReached(
            curtailment_id=name, at_ms=now_ms, power_w=sample.power_w, observed_at_ms=streak.first_low_ms
        )
    if streak.high < proof.samples:
        return None
    if state.phase is Phase.HOLDING:
        return TargetLost(curtailment_id=name, at_ms=now_ms, power_w=sample.power_w)
    if late and state.phase in (Phase.SHEDDING, Phase.UNKNOWN):
        return TargetMissed(curtailment_id=name, at_ms=now_ms, power_w=sample.power_w)
    if state.phase is Phase.UNKNOWN:
        return TargetLost(curtailment_id=name, at_ms=now_ms, power_w=sample.power_w)
    return None


def _while_restoring(
    state: Curtailment, sample: MeterSample, now_ms: int, proof: Proof, wanted_w: float | None
) -> AnyCurtailmentEvent | None:
    goal_w = state.baseline_w if wanted_w is None else min(wanted_w, state.baseline_w)
    ended_ms = state.ended_at_ms or 0
    shown = sample.power_w is not None and sample.observed_at_ms > ended_ms
    if shown and sample.power_w is not None and sample.power_w >= goal_w * (1 - proof.restore_tolerance_pct / 100):
        return LoadRestored(curtailment_id=state.curtailment_id, at_ms=now_ms, power_w=sample.power_w)
    if now_ms >= ended_ms + proof.restore_within_s * 1000:
        return RestoreUnconfirmed(curtailment_id=state.curtailment_id, at_ms=now_ms, power_w=sample.power_w)
    return None
