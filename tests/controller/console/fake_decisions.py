"""Two decisions: one that a limit has caused, one that changed nothing because there is no price."""

from controller.views.decision import BindingFeeder, DecisionRecord
from shared.errors import NotFound
from tests.controller.console.fake_fleet import SITE, FakeFleet


class FakeDecisions:
    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet
        self._begun_ms = fleet.clock.now_ms()

    def listed(self, site: str, *, limit: int = 50) -> tuple[DecisionRecord, ...]:
        self._fleet.frame(site)
        full = BindingFeeder(feeder="f-c03", load_w=66_000.0, limit_w=67_000.0, shadow_price_usd_mwh=41.2)
        held = _record("dec-2210", self._begun_ms - 5_000, held="no price feed: set [prices] file")
        return (held, _record("dec-2209", self._begun_ms - 65_000, full=full))[:limit]

    async def one(self, site: str, decision_id: str) -> DecisionRecord:
        for record in self.listed(site):
            if record.id == decision_id:
                return record
        raise NotFound(f"no decision {decision_id!r} at {site} was written down")


def _record(decision_id: str, at_ms: int, *, held: str = "", full: BindingFeeder | None = None) -> DecisionRecord:
    return DecisionRecord(
        id=decision_id,
        site=SITE,
        at_ms=at_ms,
        trigger="price or cap",
        held=held,
        profit_usd_h=None if held else 212.4,
        bound_usd_h=None if held else 212.9,
        gap_pct=None if held else 0.23,
        binding=(full,) if full else (),
        binding_feeders=5 if full else 0,
        infeasible={},
        miners=200,
        running=190,
        ordered=0 if held else 3,
        solve_ms=23.4,
        command_ids=() if held else ("cmd-0001",),
        journal_seq=4_000,
    )
