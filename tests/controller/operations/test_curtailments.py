"""Curtailments from preview to restored, proved by the meter, kept over a restart."""

import asyncio
import threading

import pytest

from controller.gateways.prices import NoPrices
from controller.operations import curtailments
from controller.operations.curtailment_plan import planned
from controller.views.curtailment import CurtailmentPreview, CurtailmentRequest, CurtailmentStart, CurtailmentView
from shared.actions import Sleep
from shared.errors import Denied, Expired, Forbidden, NotFound
from tests.controller.operations.conftest import ANNA, INTERVAL_MS, OTTO, ROBOT, SITE, VERA, LiveSite


async def preview(live: LiveSite, reduction_w: float | None) -> CurtailmentPreview:
    return await live.ports.curtailments.preview(CurtailmentRequest(site=SITE, reduction_w=reduction_w))


def given(reason: str, shown: CurtailmentPreview) -> CurtailmentStart:
    """As a person who types what the preview names."""
    return CurtailmentStart(reason=reason, confirm=shown.confirm)


async def started(live: LiveSite, reduction_w: float | None = 50_000) -> CurtailmentView:
    shown = await preview(live, reduction_w)
    return await live.ports.curtailments.start(shown.id, given("price spike", shown), ANNA)


async def test_a_large_curtailment_starts_only_with_the_power_that_its_preview_named(live: LiveSite):
    shown = await preview(live, 50_000)
    assert shown.confirm == "50 kW"
    for typed in ("", "5 kW", "50", "50 MW"):
        with pytest.raises(Denied) as denied:
            await live.ports.curtailments.start(shown.id, CurtailmentStart(reason="drill", confirm=typed), ANNA)
        assert denied.value.rule == "command.not-confirmed"
    assert live.ports.curtailments.listed(SITE) == ()
    written_otherwise = CurtailmentStart(reason="drill", confirm=" 50KW")
    assert (await live.ports.curtailments.start(shown.id, written_otherwise, ANNA)).phase == "shedding"


def newest(live: LiveSite) -> CurtailmentView:
    return live.ports.curtailments.listed(SITE)[0]


async def obeyed(live: LiveSite) -> int:
    """Dispatch decides, the node obeys every order and says so; how many miners slept."""
    cycle = await live.dispatch.cycle("curtailment")
    done = 0
    for command_id in cycle.command_ids:
        progress = await live.commands.progress(command_id)
        assert progress is not None
        for told in progress.orders:
            machine = live.machines[told.device_id]
            if isinstance(told.action, Sleep):
                machine.sleep()
            else:
                machine.power_w = machine.limit_w = 2_000.0
                machine.hashrate_ths = 80.0
            done += 1
        await live.say(command_id, *((told.device_id, told.verb, "confirmed") for told in progress.orders))
    return done


async def land(live: LiveSite) -> None:
    for _ in range(4):
        live.report(2_000)
        await live.live.watch()


async def test_a_preview_tells_what_shedding_would_do(live: LiveSite):
    shown = await preview(live, 50_000)
    assert (shown.reduction_w, shown.target_w) == (50_000, 135_000)
    assert 0 < shown.miners <= shown.of_miners == 60
    assert shown.hashrate_ths > 0
    assert shown.cost_usd_h is not None
    assert shown.valid_until_ms == live.clock.ms + 60_000
    assert shown.expected_s == 20.0
    assert shown.confirm == "50 kW"
    assert not shown.second_person
    assert all(check.passed for check in shown.checks)


async def test_everything_means_everything_that_may_be_shed(live: LiveSite):
    shown = await preview(live, None)
    assert shown.miners == 60
    assert shown.second_person
    assert shown.target_w == pytest.approx(5_000 + 60 * 25 + shown.uncertainty_w)


async def test_the_landing_is_the_meters_word(live: LiveSite):
    view = await started(live)
    assert (view.phase, view.target_w, view.baseline_w, view.landed_at_ms) == ("shedding", 135_000, 185_000, None)
    assert await obeyed(live) > 0
    confirmed = newest(live)
    assert confirmed.counts["confirmed"] == confirmed.miners
    assert confirmed.phase == "shedding"
    assert len(confirmed.commands) >= 1
    await land(live)
    landed = newest(live)
    assert (landed.phase, landed.power_w) == ("holding", live.load_w())
    assert landed.time_to_target_s == 2.0
    state = live.ports.energy.state(SITE)
    assert (state.cap_w, state.cap_reason) == (135_000.0, "curtailment: price spike")


async def test_without_a_meter_nobody_knows(live: LiveSite):
    await started(live)
    await obeyed(live)
    await land(live)
    live.meters_silent = True
    live.report(20_000)
    await live.live.watch()
    assert (newest(live).phase, newest(live).power_w) == ("unknown", None)


async def test_it_ends_when_told_and_is_restored_by_the_meter(live: LiveSite):
    view = await started(live)
    await obeyed(live)
    await land(live)
    ended = await live.ports.curtailments.end(view.id, "price is back", OTTO)
    assert ended.phase == "restoring"
    for machine in live.machines.values():
        machine.power_w = machine.limit_w = 3_000.0
    await land(live)
    assert newest(live).phase == "restored"
    assert not newest(live).active
    assert live.ports.energy.state(SITE).cap_reason == "limit of the site's connection"


async def test_a_preview_is_good_once_and_for_a_minute(live: LiveSite):
    shown = await preview(live, 50_000)
    await live.ports.curtailments.start(shown.id, given("drill", shown), ANNA)
    with pytest.raises(Expired):
        await live.ports.curtailments.start(shown.id, given("drill", shown), ANNA)
    late = await preview(live, 60_000)
    live.report(60_001)
    with pytest.raises(Expired):
        await live.ports.curtailments.start(late.id, given("drill", late), ANNA)


async def test_whoever_made_a_token_cannot_approve_its_curtailment_not_even_after_a_restart(live: LiveSite):
    shown = await preview(live, 120_000)
    view = await live.ports.curtailments.start(shown.id, given("price spike", shown), ROBOT)  # made by otto
    assert view.phase == "awaiting-approval"
    live.wire()
    live.configure()
    await live.live.restore((SITE,))
    live.report()
    with pytest.raises(Denied) as denied:
        await live.ports.curtailments.approve(view.id, OTTO)
    assert denied.value.rule == "command.second-person-same"
    assert (await live.ports.curtailments.approve(view.id, ANNA)).phase == "shedding"


async def test_a_big_one_waits_for_another_person(live: LiveSite):
    view = await started(live, 120_000)
    assert view.phase == "awaiting-approval"
    assert live.ledger.caps_w(SITE, live.clock.ms) == {}
    for actor, rule in ((ANNA, "command.second-person-same"), (ROBOT, "command.second-person-program")):
        with pytest.raises(Denied) as denied:
            await live.ports.curtailments.approve(view.id, actor)
        assert denied.value.rule == rule
    approved = await live.ports.curtailments.approve(view.id, OTTO)
    assert (approved.phase, approved.started_by, approved.approved_by) == ("shedding", "anna", "otto")
    with pytest.raises(Denied) as denied:
        await live.ports.curtailments.approve(view.id, OTTO)
    assert denied.value.rule == "curtailment.wrong-phase"


async def test_what_nobody_approves_is_cancelled(live: LiveSite):
    view = await started(live, 120_000)
    live.report(600_001)
    with pytest.raises(Denied) as denied:
        await live.ports.curtailments.approve(view.id, OTTO)
    assert denied.value.rule == "command.second-person-missing"
    await live.live.watch()
    assert newest(live).phase == "cancelled"


async def test_it_survives_a_restart(live: LiveSite):
    view = await started(live)
    waiting = await started(live, 120_000)
    await obeyed(live)
    await land(live)
    before = live.ports.curtailments.listed(SITE)
    live.wire()
    live.configure()
    await live.live.restore((SITE,))
    live.report()
    assert [(v.id, v.phase, v.landed_at_ms) for v in live.ports.curtailments.listed(SITE)] == [
        (v.id, v.phase, v.landed_at_ms) for v in before
    ]
    assert live.ledger.caps_w(SITE, live.clock.ms) == {"main": 135_000}
    await live.ports.curtailments.end(view.id, "over", ANNA)
    assert (await live.ports.curtailments.end(waiting.id, "never mind", ANNA)).phase == "cancelled"


async def test_what_cannot_be_proved_or_reached_is_not_begun(live: LiveSite):
    with pytest.raises(Denied) as denied:
        await preview(live, 184_000)
    assert denied.value.rule == "curtailment.below-floor"
    live.meters_silent = True
    live.report(20_000)
    with pytest.raises(Denied) as denied:
        await preview(live, 50_000)
    assert denied.value.rule == "curtailment.meter-unusable"


async def test_who_may_not_and_what_does_not_exist(live: LiveSite):
    shown = await preview(live, 50_000)
    with pytest.raises(Forbidden):
        await live.ports.curtailments.start(shown.id, given("drill", shown), VERA)
    with pytest.raises(NotFound):
        await live.ports.curtailments.end("cur-none", "why", ANNA)
    with pytest.raises(NotFound):
        live.ports.curtailments.listed("nowhere")
    assert live.ports.curtailments.listed(SITE) == ()


async def test_dispatch_is_told_at_once(live: LiveSite):
    told = []
    live.dispatch.notify = lambda trigger, *, urgent=False: told.append((trigger, urgent))
    await started(live)
    assert told == [("curtailment", True)]


async def test_two_approvals_at_once_start_it_once(live: LiveSite):
    view = await started(live, 120_000)
    both = await asyncio.gather(
        live.ports.curtailments.approve(view.id, OTTO),
        live.ports.curtailments.approve(view.id, OTTO),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in both) == ["CurtailmentView", "Denied"]
    assert len(await live.journal.stream(f"curtailment/{SITE}")) == 2


@pytest.mark.parametrize("feed", ["none", "ended"])
async def test_a_curtailment_without_a_price_is_previewed_without_costs_and_shed(
    live: LiveSite, monkeypatch: pytest.MonkeyPatch, feed: str
):
    if feed == "none":
        monkeypatch.setattr(live.prices, "current", NoPrices().current)
    else:
        live.report(25 * INTERVAL_MS)
    shown = await preview(live, 50_000)
    assert shown.cost_usd_h is None
    assert shown.hashrate_ths > 0
    await started(live)
    cycle = await live.dispatch.cycle("curtailment")
    assert cycle.held
    assert cycle.issued > 0
    decision = live.ports.dispatch.decision(SITE)
    assert decision is not None
    assert [item.shadow_price_usd_mwh for item in decision.binding] == [None]
    assert "USD" not in " ".join((*decision.sentences, *(item.text for item in decision.binding)))


async def test_a_preview_is_solved_beside_the_event_loop(live: LiveSite, monkeypatch: pytest.MonkeyPatch):
    """Ten thousand miners take a while; other people's pages and the nodes' answers do not wait for it."""
    solved_in: list[threading.Thread] = []

    def watched(*given):
        solved_in.append(threading.current_thread())
        return planned(*given)

    monkeypatch.setattr(curtailments, "planned", watched)
    await preview(live, 50_000)
    assert solved_in
    assert threading.main_thread() not in solved_in
