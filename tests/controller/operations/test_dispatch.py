"""The last decision and its reasons."""

import pytest

from shared.errors import NotFound
from shared.states import Reach
from tests.controller.operations.conftest import INTERVAL_MS, MINERS, SITE, LiveSite


async def test_there_is_nothing_to_show_before_the_first_decision(live: LiveSite):
    assert live.ports.dispatch.decision(SITE) is None
    assert live.ports.dispatch.explain(SITE, MINERS[0]) is None
    with pytest.raises(NotFound):
        live.ports.dispatch.decision("nowhere")
    with pytest.raises(NotFound):
        live.ports.dispatch.explain(SITE, "m-none")


async def test_a_decision_is_shown_with_its_certificate(live: LiveSite):
    await live.dispatch.cycle("test")
    decision = live.ports.dispatch.decision(SITE)
    assert decision is not None
    assert (decision.objective, decision.mode) == ("profit per hour", "automatic")
    assert (decision.running, decision.asleep, decision.changed) == (60, 0, 0)
    assert decision.power_w == 185_000.0
    assert decision.hashrate_ths == pytest.approx(6_600.0)
    assert decision.gap_pct == pytest.approx(0.0, abs=1e-6)
    assert decision.sentences == ("60 miners run where they earn most at this price.",)
    why = live.ports.dispatch.explain(SITE, MINERS[0])
    assert why is not None
    assert (why.decision, why.target_w) == ("run", 3_000.0)
    assert why.margin_usd_h == pytest.approx(110 * 50 / 24_000 - 0.003 * 30)


async def test_what_holds_the_plan_back_is_named_with_its_worth(live: LiveSite):
    live.ledger.caps_w = lambda _site, _now_ms: {"main": 150_000}
    await live.dispatch.cycle("cap")
    decision = live.ports.dispatch.decision(SITE)
    assert decision is not None
    (binding,) = decision.binding
    assert binding.subject == "main"
    assert binding.shadow_price_usd_mwh is not None
    assert binding.shadow_price_usd_mwh > 0
    assert decision.changed > 0
    assert decision.power_w <= 150_000


async def test_a_held_dispatch_claims_no_profit(live: LiveSite):
    live.report(25 * INTERVAL_MS)
    await live.dispatch.cycle("price")
    decision = live.ports.dispatch.decision(SITE)
    assert decision is not None
    assert (decision.objective, decision.profit_usd_h) == ("keep the limits", None)
    assert "the energy price has run out" in decision.sentences[0]


async def test_a_miner_that_is_left_alone_says_why(live: LiveSite):
    live.machines[MINERS[1]].reach = Reach.TIMEOUT
    live.report(61_000)
    await live.dispatch.cycle("test")
    why = live.ports.dispatch.explain(SITE, MINERS[1])
    assert why is not None
    assert (why.decision, why.target_w) == ("leave", None)
    assert "nobody has seen it lately" in why.text
