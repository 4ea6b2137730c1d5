"""One miner: what it does, why, its boards, its last hour, what was ordered and became true, its own last words."""

from functools import partial

from nicegui import ui

from controller.console.format import TERAHASH, WATT
from controller.console.pages.hold import hold_card
from controller.console.pages.page import Page, card
from controller.console.pages.site import alarms
from controller.console.parts.button import Button
from controller.console.parts.command_dialog import Given, issue
from controller.console.parts.panel import EvidencePanel, Head
from controller.console.parts.sheet import Column, Sheet
from controller.console.parts.trend import Chart, Trend, series_url
from controller.people.model import Actor, Permission
from controller.views.command import CommandRequest, CommandView, Selection
from controller.views.miner import MinerDetail
from shared.actions import AnyAction, Locate, ReadNow, Restart, Sleep, Wake

_BOARDS = (
    Column("board", "Board", lead=True),
    Column("hash", "TH/s", end=True),
    Column("share", "Of expected", end=True),
    Column("chip", "Chip", end=True),
    Column("temp", "Board", end=True),
    Column("chips", "Chips", end=True),
    Column("clock", "MHz", end=True),
    Column("errors", "Errors", end=True),
    Column("age", "Read", end=True),
)
_ORDERS = (
    Column("verb", "Order", lead=True),
    Column("state", "Outcome"),
    Column("trail", "Trail", wrap=True),
    Column("by", "By"),
    Column("age", "When", end=True),
)
_ACTIONS: tuple[tuple[str, AnyAction], ...] = (
    ("Read again now", ReadNow()),
    ("Locate", Locate(on=True)),
    ("Restart", Restart()),
    ("Sleep", Sleep()),
    ("Wake", Wake()),
)


async def build(page: Page) -> None:
    detail = await page.operations.fleet.miner(page.site.id, page.subject)
    row = detail.row
    _top(page, detail)
    with card().classes("bes-first"):
        Head(await page.follow("miner", page.subject), topic="miner")
    with ui.element("div").classes("bes-cards bes-two"):
        with ui.element("div").classes("bes-stack"):
            with card("Alarms").classes("bes-first"):
                await alarms(page, "miner-alarms", page.subject)
            await hold_card(page, page.subject)
            with card("Boards"):
                boards = await page.follow("boards", page.subject)
                Sheet(_BOARDS, boards, topic="boards", caption="Boards", empty="The device reports no boards.")
            with card("Orders and what became of them"):
                orders = await page.follow("miner-commands", page.subject)
                Sheet(_ORDERS, orders, topic="miner-commands", caption="Orders", empty="Nothing has been ordered yet.")
            with card("Last reply of the device", "as it came, secrets taken out"):
                EvidencePanel(await page.follow("evidence", page.subject))
        with ui.element("div").classes("bes-stack"):
            for name, label, field, unit in (
                ("hash", "Hash rate", "hashrate_ths", TERAHASH),
                ("power", "Power", "power_w", WATT),
            ):
                url = series_url(page.api_url, row.device_id, field)
                with card():
                    Trend(Chart(name=name, label=label, url=url, unit=unit, height=150), zone=page.site.time_zone)


def _top(page: Page, detail: MinerDetail) -> None:
    row = detail.row
    with ui.element("div").classes("bes-head").style("margin-bottom: 0"):
        with ui.element("h1"):
            ui.label(row.slot)
        known = (row.model, row.firmware, row.address, row.serial)
        ui.label(" · ".join(text for text in known if text)).classes("bes-hint bes-mono")
        ui.element("span").classes("bes-grow")
        for label, action in _ACTIONS if page.operates else ():
            if action.verb in detail.verbs:
                Button(label, partial(_order, page, action), order=True, test=f"order-{action.verb}")


async def _order(page: Page, action: AnyAction) -> None:
    """One device, reversible: one click; the outcome appears in the list below."""
    request = CommandRequest(site=page.site.id, action=action, selection=Selection(device_ids=(page.subject,)))

    async def send(actor: Actor) -> CommandView:
        return await issue(page.visit, request, actor, Given(f"by hand: {action.verb.replace('_', ' ')}"))

    await page.visit.act(Permission.OPERATE, send)
