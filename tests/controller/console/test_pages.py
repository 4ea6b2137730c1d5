"""Pages as NiceGUI builds them: which parts they have, what they are told, what their handlers refuse."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from nicegui import ElementFilter, ui

from controller.console.parts.button import Button
from controller.console.parts.frame import Frame
from controller.console.parts.grid import MinerGrid
from controller.console.parts.live import Live
from controller.console.parts.panel import Head, Landing
from controller.console.parts.sheet import Sheet
from controller.console.parts.site_map import SiteMap
from controller.console.parts.tiles import Chips, Tiles
from controller.console.parts.trend import Trend
from controller.people.service import People
from controller.views.ports import Operations
from tests.controller.console.conftest import Enter

MINER = "/miner/m-02de00000040"
PAGES = {
    "": (Tiles, SiteMap, Sheet, Trend),
    "/miners?q=state:hot": (Chips, MinerGrid),
    MINER: (Head, Sheet, Trend),
    "/energy": (Landing, Sheet, Trend),
    "/alarms": (Sheet,),
    "/alarms?show=events": (Sheet,),
    "/commands": (Sheet,),
    "/nodes": (Sheet,),
}


def elements(user: object, kind: type) -> list:
    with user:  # type: ignore[attr-defined]
        return list(ElementFilter(kind=kind))


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Handlers run as tasks of their own: wait until what they do is seen."""
    async with asyncio.timeout(3):
        while not await check():
            await asyncio.sleep(0.01)


async def notice_code(user: object) -> str:
    (frame,) = elements(user, Frame)

    async def said() -> bool:
        return frame.props["notice"] is not None

    await eventually(said)
    return str(frame.props["notice"]["code"])


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_made_of_few_large_parts(visit: Enter, path: str) -> None:
    visitor = await visit("anna")
    await visitor.open(path)
    for kind in PAGES[path]:
        assert elements(visitor.user, kind), kind
    assert len(elements(visitor.user, ui.element)) < 200


async def test_the_frame_knows_where_it_is_and_who_looks(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.open("/alarms")
    (frame,) = elements(visitor.user, Frame)
    assert frame.props["current"] == "/console/site/west-1/alarms"
    assert frame.props["user"] == "vera · viewer"
    assert frame.props["operates"] is False
    assert frame.props["first"]["urgent"]["text"] == "Breaker of C01-R3 is open"


async def test_unknown_sites_miners_and_pages_are_states_not_errors(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open("/site/nowhere")
    await visitor.user.should_see("No site 'nowhere'")
    await visitor.open("/miner/nope")
    await visitor.user.should_see("No miner 'nope'")
    await visitor.user.open("/nonsense")
    await visitor.user.should_see("The address leads nowhere.")


async def test_a_query_that_means_nothing_offers_no_orders(visit: Enter) -> None:
    visitor = await visit("anna")
    await visitor.open("/miners?q=state:purple")
    await visitor.user.should_see("no state 'purple'")
    assert elements(visitor.user, MinerGrid) == []
    assert elements(visitor.user, Button) == []


async def test_one_click_orders_one_miner(visit: Enter, site: Operations) -> None:
    visitor = await visit("anna")
    await visitor.open(MINER)
    visitor.user.find("Locate").click()

    async def ordered() -> bool:
        return (await site.commands.listed("west-1")).total > 0

    await eventually(ordered)
    page = await site.commands.listed("west-1")
    assert [(order.verb, order.devices, order.issued_by) for order in page.commands] == [("locate", 1, "anna")]


async def test_a_handler_refuses_whose_session_has_ended(visit: Enter, site: Operations, people: People) -> None:
    visitor = await visit("anna")
    await visitor.open(MINER)
    button = visitor.user.find("Sleep")
    people._sessions.pop(visitor.session_id)
    button.click()
    assert await notice_code(visitor.user) == "access.sign-in-required"
    assert (await site.commands.listed("west-1")).total == 0


async def test_a_viewer_is_refused_even_if_the_page_offers_it(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.open("/alarms")
    sheet = next(item for item in elements(visitor.user, Sheet) if item.props["caption"] == "Standing alarms")
    listener = next(iter(sheet._event_listeners.values()))
    sheet._handle_event({"listener_id": listener.id, "args": {"id": "a-1", "name": "acknowledge"}})
    assert await notice_code(visitor.user) == "access.forbidden"


async def test_bulk_orders_name_the_devices_that_match(visit: Enter, site: Operations) -> None:
    visitor = await visit("anna")
    await visitor.open("/miners?q=container:c02")
    visitor.user.find("All that match, not only the selected").click()
    visitor.user.find("Sleep").click()
    await visitor.user.should_see("Order for")
    visitor.user.find("Reason").type("weekly drill")
    visitor.user.find("Order for").click()

    async def ordered() -> bool:
        return (await site.commands.listed("west-1")).total > 0

    await eventually(ordered)
    page = await site.commands.listed("west-1")
    frame = site.fleet.frame("west-1")
    assert page.commands[0].devices <= (frame.layout.container.codes == 1).sum()


async def test_nothing_is_selected_is_said_in_the_dialog(visit: Enter) -> None:
    visitor = await visit("anna")
    await visitor.open("/miners")
    visitor.user.find("Sleep").click()
    await visitor.user.should_see("Order for 0")
    visitor.user.find("Reason").type("by mistake")
    visitor.user.find("Order for 0").click()
    await visitor.user.should_see("command.nothing-selected")


async def test_without_a_site_there_is_one_action(
    visit: Enter, site: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.fleet, "sites", tuple)
    visitor = await visit("anna")
    await visitor.user.open("/")
    await visitor.user.should_see("No site yet")
    await visitor.user.should_see("bes enroll")


async def test_a_site_that_cannot_be_read_does_not_hide_the_others(
    visit: Enter, site: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,) = site.fleet.sites()
    silent = msgspec.structs.replace(known, id="paraguay-1", name="Paraguay 1")
    monkeypatch.setattr(site.fleet, "sites", lambda: (known, silent))
    visitor = await visit("anna")
    await visitor.user.open("/")
    (sheet,) = elements(visitor.user, Sheet)
    shown, unread = sheet.props["first"]
    assert shown["cells"][5].endswith("of 200")
    assert "no site 'paraguay-1'" in unread["cells"][1]["text"]


async def test_a_page_whose_session_has_run_out_is_told_nothing_more(visit: Enter, people: People) -> None:
    visitor = await visit("anna")
    await visitor.open()
    (live,) = elements(visitor.user, Live)
    assert live._visit.signed_in
    await people.sign_out(visitor.session_id)
    assert not live._visit.signed_in


def sheet(user: object, caption: str) -> Sheet:
    return next(item for item in elements(user, Sheet) if item.props["caption"] == caption)


async def test_events_are_read_kind_by_kind_and_page_by_page(visit: Enter) -> None:
    visitor = await visit("vera")
    seen: set[str] = set()
    for kind, mark in (("notice", "discovery.unknown-device"), ("alarm", "device.silent")):
        before = ""
        for _ in range(2):
            await visitor.open(f"/alarms?show=events&kind={kind}{before}")

            async def filled() -> bool:
                return bool(sheet(visitor.user, "Events").props["first"])

            await eventually(filled)
            rows = sheet(visitor.user, "Events").props["first"]
            assert {row["cells"][2] for row in rows} == {mark}
            seen |= {row["cells"][3] for row in rows}
            (older,) = (
                item for item in elements(visitor.user, ui.element) if item.props.get("data-testid") == "older-events"
            )
            before = "&before=" + older.props["href"].partition("before=")[2]
    assert len(seen) == 200


@pytest.mark.parametrize(
    ("show", "tab"), [("events", "Events"), ("journal", "Journal"), ("nonsense", "Standing alarms")]
)
async def test_the_tab_stands_in_the_address(visit: Enter, show: str, tab: str) -> None:
    visitor = await visit("vera")
    await visitor.open(f"/alarms?show={show}")
    panels = {item.props["caption"]: item.parent_slot.parent for item in elements(visitor.user, Sheet)}
    assert [caption for caption, panel in panels.items() if panel.visible] == [tab]


async def test_what_is_older_in_the_journal_is_reached(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.open("/alarms?show=journal")
    first = sheet(visitor.user, "Journal").props["first"]
    visitor.user.find("Older").click()

    async def went_on() -> bool:
        return sheet(visitor.user, "Journal").props["first"] != first

    await eventually(went_on)
    assert int(sheet(visitor.user, "Journal").props["first"][0]["id"]) == int(first[-1]["id"]) - 1


@pytest.mark.parametrize(("hours", "shown"), [("24", 24), ("²", 1), ("9" * 30, 1), ("-1", 1)])
async def test_only_ranges_that_are_offered_are_shown(visit: Enter, hours: str, shown: int) -> None:
    visitor = await visit("vera")
    await visitor.open(f"?hours={hours}")
    assert {trend.props["start-hours"] for trend in elements(visitor.user, Trend)} == {shown}
