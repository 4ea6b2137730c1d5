"""Frames, miners and sites from the twin."""

import pytest

from controller.views.command import CommandRequest, Selection
from controller.views.condition import Condition
from shared.actions import ReadNow
from shared.errors import NotFound
from shared.states import OpState, Reach
from tests.controller.operations.conftest import ANNA, MINERS, SITE, LiveSite


def condition(live: LiveSite, device_id: str) -> Condition:
    frame = live.ports.fleet.frame(SITE)
    return Condition(frame.condition[frame.layout.row_of[device_id]])


def test_a_frame_shows_what_the_twin_knows(live: LiveSite):
    frame = live.ports.fleet.frame(SITE)
    assert len(frame) == 60
    assert frame.condition_counts[Condition.AS_EXPECTED] == 60
    assert frame.live_power_w == 180_000.0
    assert frame.live_hashrate_ths == pytest.approx(6_600.0)
    layout, row = frame.layout, frame.layout.row_of[MINERS[21]]
    assert (layout.slot_name[row], layout.container[row], layout.feeder[row]) == ("c2-R1-S1-2", "c2", "f2")
    assert (layout.node[row], layout.model[row], layout.address[row]) == ("edge-1", "S21", "10.0.0.22")


def test_a_frame_is_kept_for_a_second_and_its_layout_for_longer(live: LiveSite):
    first = live.ports.fleet.frame(SITE)
    live.clock.ms += 999
    assert live.ports.fleet.frame(SITE) is first
    live.report(1)
    second = live.ports.fleet.frame(SITE)
    assert second.snapshot != first.snapshot
    assert second.at_ms == live.clock.ms
    assert second.layout is first.layout


def test_ages_move_on_without_news(live: LiveSite):
    first = live.ports.fleet.frame(SITE)
    live.clock.ms += 61_000
    later = live.ports.fleet.frame(SITE)
    assert later.snapshot != first.snapshot
    assert later.condition_counts[Condition.SILENT] == 60


def test_conditions_follow_the_readings(live: LiveSite):
    machines = live.machines
    machines[MINERS[0]].sleep()
    machines[MINERS[1]].hashrate_ths = 60.0
    machines[MINERS[2]].chip_temp_c = 91.0
    machines[MINERS[3]].state = OpState.STOPPED_THERMAL
    machines[MINERS[4]].boards_hashing = 2.0
    machines[MINERS[5]].reach = Reach.TIMEOUT
    live.report(61_000)
    expected = ("ASLEEP", "FAR_BELOW", "HOT", "FAULT", "FAULT", "SILENT", "AS_EXPECTED")
    assert [condition(live, device).name for device in MINERS[:7]] == list(expected)


async def test_sentences_say_why(live: LiveSite):
    machines = live.machines
    machines[MINERS[0]].sleep()
    machines[MINERS[1]].hashrate_ths = 55.0
    machines[MINERS[2]].chip_temp_c = 91.0
    machines[MINERS[4]].boards_hashing = 2.0
    machines[MINERS[5]].reach = Reach.TIMEOUT
    live.report(61_000)
    said = [(await live.ports.fleet.miner(SITE, device)).sentence for device in MINERS[:7]]
    assert said[0] == "Asleep by order."
    assert said[1] == "Running 50 % below its expected hash rate."
    assert said[2] == "Its chips are at 91 °C; hot begins at 90 °C."
    assert said[4] == "2 of 3 boards hash."
    assert said[5].startswith("Silent for 1 min 1 s:")
    assert said[6] == "Running as expected."


async def test_a_miner_has_boards_qualities_and_its_own_last_words(live: LiveSite):
    detail = await live.ports.fleet.miner(SITE, MINERS[0])
    assert [board.slot for board in detail.boards] == [0, 1, 2]
    assert (detail.boards[1].chips_good, detail.boards[1].chip_temp_c) == (107, None)
    assert detail.qualities["power_w"] == "good"
    assert detail.qualities["fan_rpm"] == "absent"
    assert "read_now" in detail.verbs
    assert detail.evidence == ()
    request = CommandRequest(site=SITE, action=ReadNow(), selection=Selection(device_ids=(MINERS[0],)), reason="a look")
    order = await live.ports.commands.issue(request, ANNA)
    await live.say(order.id, (MINERS[0], "read_now", "confirmed"), evidence='{"SUMMARY":[{}]}')
    (last,) = (await live.ports.fleet.miner(SITE, MINERS[0])).evidence
    assert (last.request, last.reply) == ("read_now", '{"SUMMARY":[{}]}')


async def test_stale_readings_are_marked_as_such(live: LiveSite):
    live.clock.ms += 61_000
    detail = await live.ports.fleet.miner(SITE, MINERS[0])
    assert detail.qualities["power_w"] == "stale"
    assert detail.qualities["fan_rpm"] == "absent"


async def test_sites_and_unknown_names(live: LiveSite):
    (site,) = live.ports.fleet.sites()
    assert (site.id, site.name, site.time_zone, site.miners) == (SITE, "Texas 1", "America/Chicago", 60)
    assert site.last_contact_ms == live.clock.ms
    with pytest.raises(NotFound, match="there are tx1"):
        live.ports.fleet.frame("nowhere")
    with pytest.raises(NotFound):
        await live.ports.fleet.miner(SITE, "m-none")
