"""Decisions as people read them, and on the page of a command that cites one."""

import msgspec
from nicegui import ElementFilter

from controller.console.parts.sheet import Sheet
from controller.console.topics.decision import decision_row
from controller.people.model import Actor, Role
from controller.views.command import CommandRequest, Selection
from controller.views.ports import Operations
from shared.actions import ReadNow
from tests.controller.console.conftest import Enter, Visitor
from tests.controller.console.fake_fleet import SITE

ANNA = Actor(name="anna", permissions=Role.OPERATOR.permissions, key="session")


def captions(visitor: Visitor) -> dict[str, Sheet]:
    with visitor.user:
        return {part.props["caption"]: part for part in ElementFilter(kind=Sheet)}


def test_a_row_says_why_how_many_and_what_holds_it_back(site: Operations) -> None:
    held, ordered = site.decisions.listed(SITE)
    now_ms = site.clock.now_ms()
    cells = decision_row(ordered, now_ms)["cells"]
    assert cells[1:] == [
        "price or cap",
        {"text": "3 of 200", "href": "/console/site/west-1/commands/cmd-0001"},
        "for profit",
        "f-c03 at 41.20\N{NO-BREAK SPACE}USD/MWh, 4 more",
        "0.23\N{NO-BREAK SPACE}%",
    ]
    cells = decision_row(held, now_ms)["cells"]
    assert cells[2:] == [{"text": "0 of 200"}, "no price feed: set [prices] file", "nothing", "—"]
    tight = msgspec.structs.replace(held, infeasible={"main": 1_500})
    assert decision_row(tight, now_ms)["cells"][4] == "main 1,500 W too many"


async def test_the_energy_page_lists_the_latest(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.open("/energy")
    assert [row["id"] for row in captions(visitor)["Decisions"].props["first"]] == ["dec-2210", "dec-2209"]


async def test_a_command_shows_the_decision_that_it_cites(visit: Enter, site: Operations) -> None:
    visitor = await visit("anna")
    device = site.fleet.frame(SITE).layout.device_id[0]
    wanted = CommandRequest(site=SITE, action=ReadNow(), selection=Selection(device_ids=(device,)), reason="look")
    order = await site.commands.issue(wanted, ANNA)
    await visitor.open(f"/commands/{order.id}")
    assert "Decision" not in captions(visitor)
    known, rows = site.commands._orders[order.id]
    site.commands._orders[order.id] = (msgspec.structs.replace(known, decision="dec-2209"), rows)
    await visitor.open(f"/commands/{order.id}")
    (row,) = captions(visitor)["Decision"].props["first"]
    assert row["id"] == "dec-2209"
