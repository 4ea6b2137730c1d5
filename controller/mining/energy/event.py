"""What happens to a curtailment, as it stands in the journal. Times are UTC milliseconds, powers watts."""

import msgspec


class CurtailmentEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    curtailment_id: str
    at_ms: int


class CurtailmentRequested(CurtailmentEvent, frozen=True, kw_only=True, tag="curtailment_requested"):
    """Bring `feeder` down to `target_w` within `land_within_s` of the start; None ends by hand only. `sponsor` is the
    person who made the token by which a program asks.
    """

    site: str
    feeder: str
    target_w: int
    baseline_w: int
    land_within_s: float
    reason: str
    actor: str
    ends_at_ms: int | None = None
    sponsor: str = ""


class CurtailmentStarted(CurtailmentEvent, frozen=True, kw_only=True, tag="curtailment_started"):
    actor: str


class CurtailmentCancelled(CurtailmentEvent, frozen=True, kw_only=True, tag="curtailment_cancelled"):
    """Before it was started."""

    actor: str
    reason: str


class TargetReached(CurtailmentEvent, frozen=True, kw_only=True, tag="target_reached"):
    """The feeder's meter stands at or below the target, by several samples in a row."""

    power_w: float
    observed_at_ms: int


class TargetMissed(CurtailmentEvent, frozen=True, kw_only=True, tag="target_missed"):
    """At the deadline the meter still stood above the target."""

    power_w: float


class TargetUnseen(CurtailmentEvent, frozen=True, kw_only=True, tag="target_unseen"):
    """The meter cannot be used: nobody knows whether the target holds."""

    reason: str


class TargetLost(CurtailmentEvent, frozen=True, kw_only=True, tag="target_lost"):
    """The meter rose above the target again."""

    power_w: float


class CurtailmentEnded(CurtailmentEvent, frozen=True, kw_only=True, tag="curtailment_ended"):
    actor: str
    reason: str


class LoadRestored(CurtailmentEvent, frozen=True, kw_only=True, tag="load_restored"):
    """The meter shows what dispatch wants to run now."""

    power_w: float


class RestoreUnconfirmed(CurtailmentEvent, frozen=True, kw_only=True, tag="restore_unconfirmed"):
    """Time ran out before a meter had shown the load again; `power_w` is None where no meter could be used."""

    power_w: float | None = None


AnyCurtailmentEvent = (
    CurtailmentRequested
    | CurtailmentStarted
    | CurtailmentCancelled
    | TargetReached
    | TargetMissed
    | TargetUnseen
    | TargetLost
    | CurtailmentEnded
    | LoadRestored
    | RestoreUnconfirmed
)
