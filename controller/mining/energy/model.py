"""A curtailment as a state machine over its events: what it wants, what the feeder's meter has shown so far."""

from dataclasses import dataclass, replace
from enum import StrEnum

from controller.mining.energy.event import (
    AnyCurtailmentEvent,
    CurtailmentCancelled,
    CurtailmentEnded,
    CurtailmentRequested,
    CurtailmentStarted,
    LoadRestored,
    RestoreUnconfirmed,
    TargetLost,
    TargetMissed,
    TargetReached,
    TargetUnseen,
)
from controller.mining.refusal import Refusal
from shared.errors import Denied


class Phase(StrEnum):
    REQUESTED = "requested"
    SHEDDING = "shedding"
    HOLDING = "holding"  # the meter confirmed the target
    MISSED = "missed"  # past its deadline and above the target; still shedding
    UNKNOWN = "unknown"  # the cap holds, but no usable meter says what the load is
    RESTORING = "restoring"
    RESTORED = "restored"
    UNRESTORED = "unrestored"  # ended, but no meter has shown the load again in time
    CANCELLED = "cancelled"


CAPPING = frozenset({Phase.SHEDDING, Phase.HOLDING, Phase.MISSED, Phase.UNKNOWN})
OVER = frozenset({Phase.RESTORED, Phase.UNRESTORED, Phase.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Curtailment:
    """`landed_at_ms` is the first sample at or below the target; `landing_error_w` what stood above the target then."""

    curtailment_id: str
    site: str
    feeder: str
    target_w: int
    baseline_w: int
    land_within_s: float
    reason: str
    requested_by: str
    requested_at_ms: int
    ends_at_ms: int | None
    sponsor: str = ""
    phase: Phase = Phase.REQUESTED
    started_at_ms: int | None = None
    started_by: str = ""
    landed_at_ms: int | None = None
    landing_error_w: float | None = None
    last_power_w: float | None = None
    ended_at_ms: int | None = None
    ended_by: str = ""
    restored_at_ms: int | None = None

    @property
    def cap_w(self) -> int | None:
        """What it leaves its feeder now; None where it does not bind."""
        return self.target_w if self.phase in CAPPING else None

    @property
    def land_by_ms(self) -> int | None:
        return None if self.started_at_ms is None else self.started_at_ms + round(self.land_within_s * 1000)

    @property
    def time_to_target_s(self) -> float | None:
        """From start to the meter's first sample at the target; None while it has not landed."""
        if self.landed_at_ms is None or self.started_at_ms is None:
            return None
        return (self.landed_at_ms - self.started_at_ms) / 1000


_ALLOWED: dict[type[AnyCurtailmentEvent], frozenset[Phase]] = {
    CurtailmentStarted: frozenset({Phase.REQUESTED}),
    CurtailmentCancelled: frozenset({Phase.REQUESTED}),
    TargetReached: frozenset({Phase.SHEDDING, Phase.MISSED, Phase.UNKNOWN}),
    TargetMissed: frozenset({Phase.SHEDDING, Phase.UNKNOWN}),
    TargetUnseen: frozenset({Phase.SHEDDING, Phase.HOLDING, Phase.MISSED}),
    TargetLost: frozenset({Phase.HOLDING, Phase.UNKNOWN}),
    CurtailmentEnded: CAPPING,
    LoadRestored: frozenset({Phase.RESTORING}),
    RestoreUnconfirmed: frozenset({Phase.RESTORING}),
}


def requested(event: CurtailmentRequested) -> Curtailment:
    """The first state."""
    return Curtailment(
        curtailment_id=event.curtailment_id,
        site=event.site,
        feeder=event.feeder,
        target_w=event.target_w,
        baseline_w=event.baseline_w,
        land_within_s=event.land_within_s,
        reason=event.reason,
        requested_by=event.actor,
        requested_at_ms=event.at_ms,
        ends_at_ms=event.ends_at_ms,
        sponsor=event.sponsor,
    )


def evolve(state: Curtailment, event: AnyCurtailmentEvent) -> Curtailment:
    """The state after `event`. Denied (`curtailment.wrong-phase`) for an event that this phase does not know."""
    if state.phase not in _ALLOWED.get(type(event), frozenset()):
        raise Denied(
            Refusal.WRONG_PHASE,
            f"curtailment {state.curtailment_id} is {state.phase}; {type(event).__name__} does not apply",
        )
    match event:
        case CurtailmentStarted():
            return replace(state, phase=Phase.SHEDDING, started_at_ms=event.at_ms, started_by=event.actor)
        case CurtailmentCancelled():
            return replace(state, phase=Phase.CANCELLED, ended_at_ms=event.at_ms, ended_by=event.actor)
        case TargetReached():
            return _reached(state, event)
        case TargetMissed():
            return replace(state, phase=Phase.MISSED, last_power_w=event.power_w)
        case TargetUnseen():
            return replace(state, phase=Phase.UNKNOWN, last_power_w=None)
        case TargetLost():
            return replace(state, phase=Phase.SHEDDING, last_power_w=event.power_w)
        case CurtailmentEnded():
            return replace(state, phase=Phase.RESTORING, ended_at_ms=event.at_ms, ended_by=event.actor)
        case LoadRestored():
            restored = replace(state, phase=Phase.RESTORED, restored_at_ms=event.at_ms)
            return replace(restored, last_power_w=event.power_w)
        case RestoreUnconfirmed():
            return replace(state, phase=Phase.UNRESTORED, last_power_w=event.power_w)
        case _:
            return state


def _reached(state: Curtailment, event: TargetReached) -> Curtailment:
    held = replace(state, phase=Phase.HOLDING, last_power_w=event.power_w)
    if state.landed_at_ms is not None:
        return held
    return replace(held, landed_at_ms=event.observed_at_ms, landing_error_w=event.power_w - state.target_w)
