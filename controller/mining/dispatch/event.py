"""A decision as it stands in the journal: small, with its certificate, before any of its orders goes out."""

import msgspec


class FullFeeder(msgspec.Struct, frozen=True, array_like=True):
    """A feeder that holds a decision back; its own multiplier is None where nothing had a price."""

    feeder: str
    load_w: int
    limit_w: int
    price_usd_mwh: float | None


class DecisionMade(msgspec.Struct, frozen=True, kw_only=True):
    """Stream `decision/<id>`. `held` says why nothing was changed for profit; profit, bound and gap are None then.

    `binding` names the dearest of the `binding_feeders` that hold it back, `infeasible` those that no decision could
    bring below their limit, with the watts that are too many. `ordered` miners were to change now.
    """

    decision_id: str
    site: str
    snapshot_id: str
    trigger: str
    held: str
    profit_usd_h: float | None
    bound_usd_h: float | None
    gap_pct: float | None
    binding: tuple[FullFeeder, ...]
    binding_feeders: int
    infeasible: dict[str, int]
    miners: int
    running: int
    ordered: int
    solve_ms: float
