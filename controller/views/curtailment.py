"""Shedding load on purpose: what it would do, how far it is, and when the meter said that it had landed."""

import msgspec

from controller.views import unit
from controller.views.command import Check, Excluded


class CurtailmentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Shed `reduction_w` below the present load, or everything that may be shed where None."""

    site: str
    reduction_w: unit.Watts | None
    ends_at_ms: unit.Millis | None = None


class CurtailmentStart(msgspec.Struct, frozen=True, kw_only=True):
    """Why, and what the person typed: a large curtailment starts only with what its preview named."""

    reason: str
    confirm: str = ""


class CurtailmentPreview(msgspec.Struct, frozen=True, kw_only=True):
    """`uncertainty_w` is half the width of the expected landing; the preview is void after `valid_until_ms`.

    `expected_s` is the time to target that the fleet's own history lets expect.
    """

    id: str
    site: str
    snapshot: str
    valid_until_ms: unit.Millis
    miners: int
    of_miners: int
    reduction_w: unit.Watts
    uncertainty_w: unit.Watts
    target_w: unit.Watts
    hashrate_ths: unit.TeraHashes
    cost_usd_h: unit.UsdPerHour | None
    method: str
    expected_s: unit.Seconds
    checks: tuple[Check, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    confirm: str = ""
    second_person: bool = False


class CurtailmentView(msgspec.Struct, frozen=True, kw_only=True):
    """`phase`: awaiting-approval, shedding, holding, missed, unknown (capped, but no meter can be used), restoring,
    restored, unrestored (ended, but no meter showed the load again in time), cancelled. `landed_at_ms` is when the
    meter, not the miners, first stood at or below `target_w`.
    """

    id: str
    site: str
    phase: str
    reason: str
    started_by: str
    started_at_ms: unit.Millis
    baseline_w: unit.Watts
    target_w: unit.Watts
    power_w: unit.Watts | None
    miners: int
    counts: dict[str, int]
    landed_at_ms: unit.Millis | None = None
    ends_at_ms: unit.Millis | None = None
    ended_at_ms: unit.Millis | None = None
    approved_by: str = ""
    commands: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        return self.phase not in ("restored", "unrestored", "cancelled")

    @property
    def time_to_target_s(self) -> float | None:
        return None if self.landed_at_ms is None else (self.landed_at_ms - self.started_at_ms) / 1000.0
