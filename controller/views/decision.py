"""Decisions of dispatch as they were written down."""

import msgspec

from controller.views import unit


class BindingFeeder(msgspec.Struct, frozen=True, kw_only=True):
    """A full feeder; its shadow price is null where nothing had a price."""

    feeder: str
    load_w: unit.Watts
    limit_w: unit.Watts
    shadow_price_usd_mwh: unit.UsdPerMwh | None


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`held` says why nothing was changed for profit. `binding` has the dearest of `binding_feeders`, `infeasible` the
    watts by which feeders cannot be kept. `command_ids` is null where commands of that time are no longer at hand.
    """

    id: str
    site: str
    at_ms: unit.Millis
    trigger: str
    held: str
    profit_usd_h: unit.UsdPerHour | None
    bound_usd_h: unit.UsdPerHour | None
    gap_pct: unit.Percent | None
    binding: tuple[BindingFeeder, ...]
    binding_feeders: int
    infeasible: dict[str, int]
    miners: int
    running: int
    ordered: int
    solve_ms: float
    command_ids: tuple[str, ...] | None
    journal_seq: int
