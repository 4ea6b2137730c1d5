"""Alarms by cause: what to do, who is touched, who has seen it."""

import re
from pathlib import Path

import pytest

from controller.operations.advice import ADVICE, OTHERWISE, advice
from controller.views.alarm import AlarmView
from controller.views.miner import matching_ids, page
from shared.errors import Denied, Forbidden, NotFound
from tests.controller.operations.conftest import ANNA, MINERS, OTTO, SITE, VERA, LiveSite


async def one(live: LiveSite, *devices: str, code: str = "device.silent") -> AlarmView:
    await live.raise_alarms(*devices, code=code)
    live.clock.ms += 1_000
    (alarm,) = live.ports.alarms.standing(SITE)
    return alarm


async def test_an_alarm_says_what_to_do_and_finds_its_miner(live: LiveSite):
    alarm = await one(live, MINERS[3])
    assert (alarm.text, alarm.action, alarm.members) == ("c1-R1-S1-4: does not answer", ADVICE["device.silent"], 1)
    found = page(live.ports.fleet.frame(SITE), alarm.query)
    assert [row.device_id for row in found.rows] == [MINERS[3]]


async def test_a_common_cause_is_one_alarm_with_all_its_members(live: LiveSite):
    alarm = await one(live, *MINERS[20:40])
    assert (alarm.members, alarm.subject) == (20, "f2")
    assert alarm.text == "20 of 20 devices on feeder f2: does not answer"
    assert alarm.action.startswith("Look at the feeder first")
    assert page(live.ports.fleet.frame(SITE), alarm.query).total == 20


async def test_a_group_however_large_finds_exactly_its_members(live: LiveSite):
    touched = (*MINERS[:25], *MINERS[30:58])
    await live.raise_alarms(*touched, "p-1", code="device.fault", text="login.default: the vendor's password is in use")
    await live.raise_alarms(MINERS[28], code="device.fault", text="fan: lost")
    live.clock.ms += 1_000
    alarm, other = live.ports.alarms.standing(SITE)
    assert (alarm.members, alarm.miners, alarm.others) == (54, 53, ("p-1",))
    assert alarm.query == "alarm:device.fault/login.default"
    found = page(live.ports.fleet.frame(SITE), alarm.query)
    assert {row.device_id for row in found.rows} == set(touched)
    assert matching_ids(live.ports.fleet.frame(SITE), "alarm:device.fault -alarm:login.default") == (MINERS[28],)
    assert (other.subject, other.miners, other.query) == (MINERS[28], 1, f"id:{MINERS[28]}")


async def test_a_common_cause_lists_only_the_members_it_has(live: LiveSite):
    alarm = await one(live, *MINERS[20:38])
    assert (alarm.subject, alarm.members) == ("f2", 18)
    found = page(live.ports.fleet.frame(SITE), alarm.query)
    assert {row.device_id for row in found.rows} == set(MINERS[20:38])
    for device in MINERS[20:38]:
        await live.raise_alarms(device, active=False)
    await live.ports.alarms.acknowledge(alarm.id, ANNA)
    live.clock.ms += 1_000
    assert page(live.ports.fleet.frame(SITE), alarm.query).total == 0


async def test_acknowledging_a_group_covers_every_member_at_once(live: LiveSite):
    alarm = await one(live, *MINERS[20:40])
    commits: list[int] = []
    live.journal.subscribe(lambda events: commits.append(len(events)))
    seen = await live.ports.alarms.acknowledge(alarm.id, ANNA)
    assert (seen.acknowledged_by, seen.acknowledged_at_ms, seen.id) == ("anna", live.clock.ms, alarm.id)
    assert commits == [20]
    (standing,) = live.ports.alarms.standing(SITE)
    assert standing == seen
    with pytest.raises(Denied) as denied:
        await live.ports.alarms.acknowledge(alarm.id, OTTO)
    assert denied.value.rule == "alarm.already-acknowledged"


async def test_a_group_is_seen_and_over_only_when_every_member_is(live: LiveSite):
    alarm = await one(live, *MINERS[20:40])
    await live.desk.acknowledge(f"{SITE}:device.silent:{MINERS[20]}", by="anna")
    await live.raise_alarms(MINERS[21], active=False)
    live.clock.ms += 1_000
    (standing,) = live.ports.alarms.standing(SITE)
    assert (standing.acknowledged_by, standing.cleared_at_ms) == ("", None)
    await live.ports.alarms.acknowledge(alarm.id, OTTO)
    assert {item.acknowledged_by for item in live.desk.standing(SITE)} == {"anna", "otto"}


async def test_what_is_no_miner_has_no_query(live: LiveSite):
    alarm = await one(live, "m-main", code="meter.silent")
    assert (alarm.query, alarm.subject) == ("", "m-main")


async def test_who_may_not_and_what_does_not_stand(live: LiveSite):
    alarm = await one(live, MINERS[3])
    with pytest.raises(Forbidden):
        await live.ports.alarms.acknowledge(alarm.id, VERA)
    for name in ("tx1:device.silent:device:m-none", "nowhere:a:b:c", "nonsense"):
        with pytest.raises(NotFound):
            await live.ports.alarms.acknowledge(name, ANNA)
    with pytest.raises(NotFound):
        live.ports.alarms.standing("nowhere")


def test_every_alarm_of_the_document_has_advice():
    document = Path("docs/events.md").read_text()
    alarms = set(re.findall(r"^\| `([a-z.-]+)` \| [123] \|", document, re.MULTILINE))
    assert alarms
    assert alarms - set(ADVICE) == set()
    assert advice("some.newer-code", "device") == OTHERWISE
