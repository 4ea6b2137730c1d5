"""Orders of people through the real power door."""

import msgspec
import pytest

from controller.views.command import CommandPreview, CommandRequest, Selection
from shared.actions import Action, Restart, SetPowerLimit, Sleep, SwitchOutlet, Wake
from shared.errors import Denied, Forbidden, NotFound
from shared.states import Reach
from tests.controller.operations.conftest import ANNA, MINERS, OTTO, ROBOT, SITE, VERA, LiveSite


def order(action: Action, *device_ids: str, query: str | None = None) -> CommandRequest:
    chosen = Selection(device_ids=device_ids, query=query)
    return CommandRequest(site=SITE, action=action, selection=chosen, reason="heat wave")


async def preview(live: LiveSite, action: Action, *device_ids: str, query: str | None = None) -> CommandPreview:
    return await live.ports.commands.preview(order(action, *device_ids, query=query), ANNA)


async def test_a_preview_tells_reach_effect_and_rules(live: LiveSite):
    shown = await preview(live, Sleep(), query="container:c1")
    assert (shown.selected, shown.included) == (20, 20)
    assert shown.power_change_w == 20 * (25 - 3_000)
    assert shown.confirm == "20"
    assert not shown.second_person
    (check,) = shown.checks
    assert check.passed
    assert check.text.startswith("feeders stay within their limits (worst: f2 at 86 %)")


async def test_a_preview_warns_of_a_feeder_that_would_be_overloaded(live: LiveSite):
    for device in MINERS[:20]:
        live.machines[device].sleep()
        live.machines[device].limit_w = 4_000.0
    live.report()
    (check,) = (await preview(live, Wake(), query="container:c1")).checks
    assert not check.passed
    assert "f1 at 114 %" in check.text


async def test_silent_miners_stay_out_unless_they_are_asked_to_speak(live: LiveSite):
    live.machines[MINERS[0]].reach = Reach.TIMEOUT
    live.report(61_000)
    shown = await preview(live, Sleep(), query="container:c1")
    assert (shown.selected, shown.included) == (20, 19)
    assert [(item.reason, item.count) for item in shown.excluded] == [("silent, cannot be confirmed", 1)]
    nobody = await preview(live, Sleep(), MINERS[0])
    assert (nobody.selected, nobody.included) == (1, 0)
    with pytest.raises(Denied) as denied:
        await live.ports.commands.issue(order(Sleep(), MINERS[0]), ANNA)
    assert denied.value.rule == "command.empty"


async def test_what_the_door_excludes_is_told_by_reason(live: LiveSite):
    shown = await preview(live, SetPowerLimit(limit_w=9_000), MINERS[0], MINERS[0], "m-stranger")
    assert (shown.selected, shown.included) == (2, 0)
    assert sorted(item.count for item in shown.excluded) == [1, 1]
    assert any("outside of what the device can hold" in item.reason for item in shown.excluded)


async def test_an_order_is_issued_followed_and_retried(live: LiveSite):
    issued = await live.ports.commands.issue(order(Sleep(), *MINERS[:3]), ANNA)
    assert (issued.phase, issued.devices, issued.verb) == ("running", 3, "sleep")
    assert issued.title == "sleep for 3 devices"
    assert issued.counts == {"waiting": 3}
    assert issued.journal_seq is not None
    await live.say(issued.id, (MINERS[0], "sleep", "confirmed"), (MINERS[1], "sleep", "contradicted"))
    await live.say(issued.id, (MINERS[2], "sleep", "refused"))
    detail = await live.ports.commands.detail(issued.id)
    assert detail.command.phase == "ended"
    assert [outcome.state for outcome in detail.outcomes] == ["contradicted", "refused", "confirmed"]
    assert detail.outcomes[0].slot == "c1-R1-S1-2"
    assert detail.command.retryable == 1
    live.clock.ms += 10
    again = await live.ports.commands.retry(issued.id, OTTO)
    assert (again.retry_of, again.devices, again.issued_by) == (issued.id, 1, "otto")
    page = await live.ports.commands.listed(SITE, limit=1)
    assert (page.total, page.commands[0].id) == (2, again.id)


async def test_orders_of_one_device_come_newest_first(live: LiveSite):
    first = await live.ports.commands.issue(order(Sleep(), *MINERS[:2]), ANNA)
    live.clock.ms += 10
    second = await live.ports.commands.issue(order(Restart(), MINERS[0]), ANNA)
    mine = await live.ports.commands.of_device(SITE, MINERS[0])
    assert [item.command.id for item in mine] == [second.id, first.id]
    assert mine[0].outcome.slot == "c1-R1-S1-1"
    assert [item.command.id for item in await live.ports.commands.of_device(SITE, MINERS[1], limit=1)] == [first.id]
    assert await live.ports.commands.of_device(SITE, MINERS[9]) == ()


async def test_a_big_order_waits_for_another_person(live: LiveSite):
    request = order(Sleep(), query="")
    assert (await live.ports.commands.preview(request, ANNA)).second_person
    with pytest.raises(Denied) as denied:
        await live.ports.commands.issue(request, ANNA)
    assert denied.value.rule == "command.not-confirmed"
    request = msgspec.structs.replace(request, confirm="60")
    waiting = await live.ports.commands.issue(request, ANNA)
    assert (waiting.phase, waiting.counts) == ("awaiting-approval", {"waiting": 60})
    with pytest.raises(Denied) as denied:
        await live.ports.commands.approve(waiting.id, ANNA)
    assert denied.value.rule == "command.second-person-same"
    with pytest.raises(Denied) as denied:
        await live.ports.commands.approve(waiting.id, ROBOT)
    assert denied.value.rule == "command.second-person-program"
    approved = await live.ports.commands.approve(waiting.id, OTTO)
    assert (approved.phase, approved.approved_by) == ("running", "otto")


async def test_a_large_order_by_token_waits_for_a_person_who_did_not_make_the_token(live: LiveSite):
    request = order(Sleep(), query="")
    with pytest.raises(Denied) as denied:
        await live.ports.commands.issue(request, ROBOT)
    assert denied.value.rule == "command.not-confirmed"
    waiting = await live.ports.commands.issue(msgspec.structs.replace(request, confirm="60"), ROBOT)
    assert waiting.phase == "awaiting-approval"
    with pytest.raises(Denied) as denied:
        await live.ports.commands.approve(waiting.id, OTTO)
    assert denied.value.rule == "command.second-person-same"
    assert (await live.ports.commands.approve(waiting.id, ANNA)).phase == "running"


async def test_who_may_not_order_does_not(live: LiveSite):
    with pytest.raises(Forbidden):
        await live.ports.commands.issue(order(Sleep(), MINERS[0]), VERA)
    with pytest.raises(Denied) as denied:
        await live.ports.commands.issue(order(Restart(), MINERS[0]), ROBOT)
    assert denied.value.rule == "command.program-verb"
    written = await live.ports.journal.search("command.program-verb")
    assert [entry.kind for entry in written.entries] == ["RequestDenied"]


async def test_an_order_carries_the_state_that_was_seen(live: LiveSite):
    live.machines[MINERS[0]].sleep()
    live.report()
    issued = await live.ports.commands.issue(order(Wake(), *MINERS[:2]), ANNA)
    progress = await live.commands.progress(issued.id)
    assert progress is not None
    assert progress.request is not None
    assert [line.expected_state for line in progress.request.orders] == [4, 1]


async def test_the_meter_says_what_an_order_has_changed(live: LiveSite):
    for _ in range(4):
        live.keep(live.report(5_000))
    issued = await live.ports.commands.issue(order(Sleep(), *MINERS[:10]), ANNA)
    for device in MINERS[:10]:
        live.machines[device].sleep()
    for _ in range(8):
        live.keep(live.report(5_000))
    await live.say(issued.id, *((device, "sleep", "confirmed") for device in MINERS[:10]))
    shown = (await live.ports.commands.detail(issued.id)).command
    assert shown.measured_change_w == pytest.approx(-10 * 2_975.0)


async def test_names_that_do_not_exist(live: LiveSite):
    for call in (live.ports.commands.detail("c-none"), live.ports.commands.approve("c-none", ANNA)):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await live.ports.commands.listed("nowhere")
    shown = await preview(live, SwitchOutlet(outlet=1, on=False), "pdu-none")
    assert (shown.selected, shown.included) == (1, 0)


async def test_the_latest_orders_survive_a_restart(live: LiveSite):
    issued = await live.ports.commands.issue(order(Sleep(), MINERS[0]), ANNA)
    await live.say(issued.id, (MINERS[0], "sleep", "confirmed"), evidence="asleep")
    live.wire()
    live.configure()
    await live.live.restore((SITE,))
    (found,) = await live.ports.commands.of_device(SITE, MINERS[0])
    assert (found.command.id, found.outcome.state) == (issued.id, "confirmed")
    assert (await live.ports.fleet.miner(SITE, MINERS[0])).evidence[0].reply == "asleep"
