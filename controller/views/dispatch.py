"""The dispatch's last decision, and its reasons for one miner."""

import msgspec

from controller.views import unit


class BindingConstraint(msgspec.Struct, frozen=True, kw_only=True):
    """What holds the plan back, and what one more megawatt there would be worth."""

    subject: str
    text: str
    shadow_price_usd_mwh: unit.UsdPerMwh | None = None


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """The last answer of the dispatch: what should run, why, and how far it may be from the best."""

    site: str
    id: str
    at_ms: unit.Millis
    objective: str
    mode: str
    solve_ms: float
    power_w: unit.Watts
    hashrate_ths: unit.TeraHashes
    profit_usd_h: unit.UsdPerHour | None
    bound_usd_h: unit.UsdPerHour | None
    gap_pct: unit.Percent | None
    running: int
    asleep: int
    changed: int
    binding: tuple[BindingConstraint, ...] = ()
    sentences: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why one miner runs as it does, in the dispatch's own words."""

    device_id: str
    decision: str
    target_w: unit.Watts | None
    text: str
    margin_usd_h: unit.UsdPerHour | None = None
