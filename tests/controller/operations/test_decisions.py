"""Decisions are kept before they act, found by their id, and cited by the commands that follow from them."""

from dataclasses import replace

import pytest

from controller.operations.decision_book import GAP_WIDE, KEPT_A_SITE, UNSOUND, WIDE_IN_A_ROW
from shared.errors import NotFound
from tests.controller.operations.conftest import INTERVAL_MS, SITE, LiveSite


async def test_a_decision_that_orders_is_written_with_its_certificate_and_cited_by_its_commands(live: LiveSite):
    live.ledger.caps_w = lambda _site, _now_ms: {"main": 150_000}
    cycle = await live.dispatch.cycle("curtailment")
    (kept,) = live.ports.decisions.listed(SITE)
    certificate = cycle.decision.certificate
    assert (kept.id, kept.trigger, kept.held) == (cycle.decision_id, "curtailment", "")
    assert (kept.profit_usd_h, kept.bound_usd_h) == (certificate.objective_usd_h, certificate.bound_usd_h)
    assert kept.gap_pct == certificate.gap_pct
    assert (kept.miners, kept.ordered, kept.binding_feeders) == (60, cycle.issued, 1)
    (full,) = kept.binding
    assert (full.feeder, full.load_w) == ("main", certificate.load_w[0])
    assert full.shadow_price_usd_mwh is not None
    assert full.shadow_price_usd_mwh > 0
    assert kept.command_ids == cycle.command_ids
    order = (await live.ports.commands.detail(cycle.command_ids[0])).command
    assert order.decision == cycle.decision_id
    assert await live.ports.decisions.one(SITE, order.decision) == kept
    written = await live.journal.stream(f"decision/{kept.id}")
    assert written[0].position < (await live.journal.stream(f"command/{order.id}"))[0].position


async def test_what_neither_orders_nor_is_held_back_otherwise_is_not_written_again(live: LiveSite):
    for _ in range(3):
        live.report()
        await live.dispatch.cycle("telemetry")
    (first,) = live.ports.decisions.listed(SITE)
    assert (first.ordered, first.binding, first.command_ids) == (0, (), ())
    live.report(25 * INTERVAL_MS)
    for _ in range(2):
        await live.dispatch.cycle("price")
    held, _ = live.ports.decisions.listed(SITE)
    assert held.held == "the energy price has run out"
    assert (held.profit_usd_h, held.bound_usd_h, held.gap_pct) == (None, None, None)


async def test_decisions_outlive_a_restart_and_old_ones_are_found_by_id(live: LiveSite):
    live.ledger.caps_w = lambda _site, _now_ms: {"main": 150_000}
    cycle = await live.dispatch.cycle("curtailment")
    before = live.ports.decisions.listed(SITE)
    live.wire()
    live.configure()
    await live.live.restore((SITE,))
    assert live.ports.decisions.listed(SITE) == before
    live.decisions._kept.clear()  # as after more than it keeps
    assert live.ports.decisions.listed(SITE) == ()
    assert (await live.ports.decisions.one(SITE, cycle.decision_id)).command_ids == cycle.command_ids
    for site, decision_id in ((SITE, "tx1-0-0"), ("nowhere", cycle.decision_id)):
        with pytest.raises(NotFound):
            await live.ports.decisions.one(site, decision_id)


async def test_what_cannot_be_kept_is_named(live: LiveSite):
    live.ledger.caps_w = lambda _site, _now_ms: {"main": 6_000}
    await live.dispatch.cycle("curtailment")
    (kept,) = live.ports.decisions.listed(SITE)
    assert kept.infeasible == {"main": 60 * 25 + 5_000 - 6_000}


async def test_a_wide_gap_is_an_alarm_only_when_it_stays(live: LiveSite):
    cycle = await live.dispatch.cycle("telemetry")
    wide = replace(cycle, gap_too_wide=True)
    live.told.clear()
    for _ in range(WIDE_IN_A_ROW - 1):
        await live.decisions.record(wide)
    await live.decisions.record(cycle)
    for _ in range(WIDE_IN_A_ROW - 1):
        await live.decisions.record(wide)
    assert live.told == []
    for _ in range(3):
        await live.decisions.record(wide)
    assert [(site, code, bool(problem)) for site, code, problem in live.told] == [(SITE, GAP_WIDE, True)]
    await live.decisions.record(cycle)
    assert live.told[1:] == [(SITE, GAP_WIDE, "")]


async def test_an_unsound_decision_is_an_alarm_until_the_next_sound_one(live: LiveSite):
    live.decisions.unsound(SITE, "feeder main carries 1 W too much")
    assert live.told == [(SITE, UNSOUND, "feeder main carries 1 W too much")]
    await live.dispatch.cycle("telemetry")
    assert (SITE, UNSOUND, "") in live.told


async def test_memory_is_bounded(live: LiveSite):
    cycle = await live.dispatch.cycle("telemetry")
    for number in range(KEPT_A_SITE + 5):
        await live.decisions.record(replace(cycle, decision_id=f"{SITE}-{number}-x", due=1))
    assert len(live.decisions.latest(SITE, 10_000)) == KEPT_A_SITE
    assert live.decisions.latest(SITE, 1)[0].fact.decision_id == f"{SITE}-{KEPT_A_SITE + 4}-x"
