"""A held miner on its page and in the list of the site: who holds it, and one click back to dispatch."""

import asyncio

from nicegui import ElementFilter

from controller.console.parts.frame import Frame
from controller.console.parts.sheet import Sheet
from controller.views.ports import Operations
from tests.controller.console.conftest import Enter, Visitor
from tests.controller.console.fake_fleet import SITE


def sheet(visitor: Visitor, topic: str) -> Sheet:
    with visitor.user:
        (found,) = (part for part in ElementFilter(kind=Sheet) if part.props["topic"] == topic)
    return found


async def test_the_page_of_a_held_miner_says_who_holds_it_and_others_do_not(visit: Enter, site: Operations) -> None:
    visitor = await visit("anna")
    (held,) = site.holds.listed(SITE)
    await visitor.open(f"/miner/{held.device_id}")
    (row,) = sheet(visitor, "hold").props["first"]
    assert row["cells"][1:3] == ["otto", "fan swap"]
    await visitor.open("/miner/m-02de00000040")
    assert sheet(visitor, "hold").props["first"] == []


async def test_one_click_gives_what_an_order_holds_back_to_dispatch(visit: Enter, site: Operations) -> None:
    visitor = await visit("anna")
    await visitor.open("/energy")
    holds = sheet(visitor, "holds")
    assert holds.props["operates"]
    (row,) = holds.props["first"]
    assert row["cells"][-1]["acts"] == [{"name": "release", "label": "Release to dispatch"}]
    act(visitor, holds, row["id"])
    async with asyncio.timeout(3):  # handlers run as tasks of their own
        while site.holds.listed(SITE):
            await asyncio.sleep(0.01)


async def test_a_viewer_sees_holds_and_releases_none(visit: Enter, site: Operations) -> None:
    visitor = await visit("vera")
    await visitor.open("/energy")
    holds = sheet(visitor, "holds")
    assert not holds.props["operates"]
    act(visitor, holds, holds.props["first"][0]["id"])
    with visitor.user:
        (frame,) = ElementFilter(kind=Frame)
    async with asyncio.timeout(3):
        while frame.props["notice"] is None:
            await asyncio.sleep(0.01)
    assert frame.props["notice"]["code"] == "access.forbidden"
    assert len(site.holds.listed(SITE)) == 1


def act(visitor: Visitor, part: Sheet, row_id: str) -> None:
    """As the browser sends it."""
    (listener,) = (one for one in part._event_listeners.values() if one.type == "act")
    with visitor.user:
        part._handle_event({"listener_id": listener.id, "args": {"id": row_id, "name": "release"}})
