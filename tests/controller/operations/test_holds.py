"""Between a person and dispatch the person wins, as long as nobody gives the miner back."""

import pytest

from controller.views.command import CommandRequest, Selection
from controller.views.curtailment import CurtailmentRequest
from controller.views.miner import page
from shared.actions import SetPowerLimit, Sleep, Wake
from shared.errors import Denied, Forbidden, NotFound
from tests.controller.operations.conftest import ANNA, MINERS, OTTO, SITE, VERA, LiveSite

FIRST = MINERS[0]


async def asleep_by_anna(live: LiveSite) -> str:
    selection = Selection(device_ids=(FIRST,))
    view = await live.ports.commands.issue(
        CommandRequest(site=SITE, action=Sleep(), selection=selection, reason="fan swap"), ANNA
    )
    live.machines[FIRST].sleep()
    live.report()
    return view.id


async def test_dispatch_does_not_wake_what_a_person_put_to_sleep_also_after_a_restart(live: LiveSite):
    await asleep_by_anna(live)
    assert (await live.dispatch.cycle("telemetry")).issued == 0
    live.wire()
    live.configure()
    await live.live.restore((SITE,))
    await live.commands.holds.restore()
    live.report()
    cycle = await live.dispatch.cycle("telemetry")
    assert cycle.issued == 0
    assert "a person holds it" in cycle.explanation.sentence(cycle.snapshot.roster.row[FIRST])


async def test_dispatch_does_not_raise_a_limit_that_a_person_set(live: LiveSite):
    request = CommandRequest(
        site=SITE, action=SetPowerLimit(2_000), selection=Selection(device_ids=(FIRST,)), reason="noise"
    )
    await live.ports.commands.issue(request, ANNA)
    machine = live.machines[FIRST]
    machine.power_w = machine.limit_w = 2_000.0
    live.report()
    assert (await live.dispatch.cycle("telemetry")).issued == 0


async def test_a_released_miner_is_dispatched_again(live: LiveSite):
    command_id = await asleep_by_anna(live)
    (held,) = live.ports.holds.listed(SITE)
    assert (held.device_id, held.by, held.reason, held.command_id) == (FIRST, "anna", "fan swap", command_id)
    with pytest.raises(Forbidden):
        await live.ports.holds.release(SITE, Selection(device_ids=(FIRST,)), "mine", VERA)
    freed = await live.ports.holds.release(SITE, Selection(query="held:anna"), "fan is new", OTTO)
    assert freed.device_ids == (FIRST,)
    cycle = await live.dispatch.cycle("operator")
    progress = await live.commands.progress(cycle.command_ids[0])
    assert progress is not None
    assert [(order.device_id, order.action) for order in progress.orders] == [(FIRST, Wake())]
    with pytest.raises(Denied) as denied:
        await live.ports.holds.release(SITE, Selection(device_ids=(FIRST,)), "again", OTTO)
    assert denied.value.rule == "command.not-held"
    with pytest.raises(NotFound):
        live.ports.holds.listed("nowhere")


async def test_held_miners_are_found_by_who_holds_them(live: LiveSite):
    await asleep_by_anna(live)
    frame = live.ports.fleet.frame(SITE)
    for query, count in (("held:anna", 1), ("held:*", 1), ("-held:*", 59), ("held:otto", 0)):
        assert page(frame, query).total == count
    (row,) = page(frame, "held:*").rows
    assert (row.device_id, row.held_by) == (FIRST, "anna")
    assert page(frame, "-held:*").rows[0].held_by == ""


async def test_a_curtailment_leaves_held_miners_out_and_says_so(live: LiveSite):
    request = CommandRequest(
        site=SITE, action=SetPowerLimit(3_000), selection=Selection(device_ids=(FIRST,)), reason="test at full power"
    )
    await live.ports.commands.issue(request, ANNA)
    live.report()
    shown = await live.ports.curtailments.preview(CurtailmentRequest(site=SITE, reduction_w=None))
    assert (shown.miners, shown.of_miners) == (59, 60)
    assert [(item.reason, item.count) for item in shown.excluded] == [("held by a person", 1)]
