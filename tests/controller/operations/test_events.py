"""What happened at a site can be read: notices and alarms, newest first, whole by pages, whatever their times."""

import httpx
import pytest

from controller.operations import events as listing
from controller.storage.sqlite import relations_event
from controller.views.event import EventKind, EventPage, EventRequest
from shared.errors import Malformed, NotFound
from tests.controller.operations.conftest import MINERS, SITE, LiveSite

UNKNOWN = "discovery.unknown-device"


async def notice(live: LiveSite, *subjects: str, code: str = UNKNOWN) -> None:
    await live.raise_alarms(*subjects, code=code, text="pyasic takes it for an X1", priority=0)


async def listed(live: LiveSite, **wanted) -> EventPage:
    return await live.ports.events.listed(EventRequest(site=SITE, **wanted))


async def test_a_notice_and_a_closed_alarm_are_found_again(live: LiveSite):
    await notice(live, "10.0.4.2")
    live.clock.ms += 1_000
    await live.raise_alarms(MINERS[0])
    await live.raise_alarms(MINERS[0], active=False)
    await live.desk.acknowledge(f"{SITE}:device.silent:{MINERS[0]}", by="anna")
    assert live.desk.standing(SITE) == []
    closed, told = (await listed(live)).entries
    assert (told.kind, told.code, told.text) == (EventKind.NOTICE, UNKNOWN, "pyasic takes it for an X1")
    assert (closed.kind, closed.subject, closed.priority, closed.acknowledged_by) == ("alarm", MINERS[0], 3, "anna")
    assert closed.cleared_at_ms == live.clock.ms


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_hold_every_event_once_also_those_of_one_moment(live: LiveSite, limit: int):
    for _ in range(3):
        await notice(live, "a", "b", "c")
        await live.raise_alarms(*MINERS[:4], code=f"device.fault-{live.clock.ms}")
        live.clock.ms += 5
    whole = (await listed(live)).entries
    assert len(whole) == 21
    pages, before = [], ""
    while True:
        page = await listed(live, limit=limit, before=before)
        pages += page.entries
        before = page.before
        if not before:
            break
    assert tuple(pages) == whole
    assert sorted((event.at_ms for event in whole), reverse=True) == [event.at_ms for event in whole]


async def test_kind_code_and_time_narrow_it_down(live: LiveSite):
    await notice(live, "a")
    await notice(live, "b", code="firmware.changed")
    middle_ms = live.clock.ms = live.clock.ms + 1_000
    await live.raise_alarms(MINERS[0])
    for wanted, subjects in (
        ({"kind": EventKind.NOTICE}, {"a", "b"}),
        ({"kind": EventKind.ALARM}, {MINERS[0]}),
        ({"code": "discovery."}, {"a"}),
        ({"from_ms": middle_ms}, {MINERS[0]}),
        ({"to_ms": middle_ms}, {"a", "b"}),
        ({"to_ms": middle_ms, "from_ms": middle_ms}, set()),
    ):
        assert {event.subject for event in (await listed(live, **wanted)).entries} == subjects, wanted


async def test_a_rare_code_is_looked_for_part_by_part(live: LiveSite, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listing, "CHUNK", 2)
    monkeypatch.setattr(listing, "CHUNKS_A_PAGE", 2)
    await notice(live, "needle")
    live.clock.ms += 1_000
    await notice(live, *"abcdefgh", code="firmware.changed")
    found, page = [], await listed(live, code="discovery.")
    assert (page.entries, bool(page.before)) == ((), True)
    while page.before:
        page = await listed(live, code="discovery.", before=page.before)
        found += page.entries
    assert [event.subject for event in found] == ["needle"]


@pytest.mark.parametrize(
    "before", ["x", "5", "5-", "5-n", "5-nx", "5-n²", "-5-n1", "5-a", "9" * 19 + "-n1", "5-n" + "9" * 19]
)
async def test_a_place_that_no_page_gave_is_named(live: LiveSite, before: str):
    with pytest.raises(Malformed, match="before"):
        await listed(live, before=before)


async def test_an_unknown_site_has_no_events(live: LiveSite):
    with pytest.raises(NotFound):
        await live.ports.events.listed(EventRequest(site="nowhere"))


async def test_the_api_gives_pages(anna: httpx.AsyncClient, live: LiveSite):
    await notice(live, "a", "b", "c")
    path = f"/api/v1/sites/{SITE}/events"
    first = (await anna.get(path, params={"kind": "notice", "limit": 2})).json()
    rest = (await anna.get(path, params={"kind": "notice", "limit": 2, "before": first["before"]})).json()
    assert [event["subject"] for event in (*first["entries"], *rest["entries"])] == ["c", "b", "a"]
    assert rest["before"] == ""
    wrong = await anna.get(path, params={"kind": "colour"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "request.malformed")


async def test_no_page_sorts_or_reads_the_whole_list(live: LiveSite):
    for query, key in ((relations_event._NOTICES, 0), (relations_event._ALARMS, "")):
        plan = await live.past._reader.rows(f"EXPLAIN QUERY PLAN {query}", (SITE, 0, 5, key, 10))
        words = " ".join(row[3] for row in plan)
        assert "SEARCH" in words
        assert "TEMP B-TREE" not in words
