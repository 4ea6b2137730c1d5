"""The table of all miners: search, conditions to choose from, orders for the selected or for all that match."""

from functools import partial
from urllib.parse import quote

from nicegui import ui

from controller.console.pages.page import Page, card, heading
from controller.console.parts.button import Button
from controller.console.parts.grid import MinerGrid
from controller.console.parts.order_dialog import open_order
from controller.console.parts.tiles import Chips
from controller.console.topics.words import miners_href, site_href
from controller.people.model import Permission
from controller.views.miner import matching_ids
from controller.views.order import OrderRequest, Selection
from controller.views.query import parse
from shared.actions import AnyAction, Restart, SetPowerLimit, Sleep, Wake
from shared.errors import BesError

_ORDERS: tuple[tuple[str, str, AnyAction], ...] = (
    ("sleep", "Sleep", Sleep()),
    ("wake", "Wake", Wake()),
    ("restart", "Restart", Restart()),
)
LEAST_LIMIT_W, GREATEST_LIMIT_W = 200, 20_000


async def build(page: Page) -> None:
    text = page.query.get("q", "")
    problem = ""
    try:
        query = parse(text)
    except BesError as error:
        query, problem = parse(""), error.detail
    heading("Miners")
    with card():
        _search(page, text, problem)
        terms = [term.text for term in query.terms]
        links = [
            {"text": term, "without": miners_href(page.site.id, " ".join(terms[:place] + terms[place + 1 :]))}
            for place, term in enumerate(terms)
        ]
        asked = [value for term in query.terms if term.field == "state" for value in term.values]
        Chips(await page.follow("site"), terms=links, asked=asked)
        if problem:
            return
        url = f"{page.api_url}/miners?q={quote(str(query), safe='')}"
        grid = MinerGrid(page.site.id, query_url=url, sort=page.query.get("sort", ""), go=page.visit.go)
        if page.operates:
            _orders(page, grid, str(query))


def _search(page: Page, text: str, problem: str) -> None:
    def open_query() -> None:
        page.visit.go(miners_href(page.site.id, " ".join((field.value or "").split())))

    with ui.element("div").classes("bes-head"):
        field = ui.input(value=text, placeholder="state:hot model:S21* chip>85 rack:C07").classes("bes-input")
        field.props("outlined dense clearable maxlength=500 data-testid=filter aria-label=Filter").style(
            "width: 420px; max-width: 100%"
        )
        field.on("keydown.enter", open_query)
        field.on("clear", lambda: page.visit.go(site_href(page.site.id, "miners")))
    if problem:
        ui.label(problem).classes("bes-refusal").props("role=alert data-testid=query-problem").style(
            "margin-bottom: 10px"
        )


def _orders(page: Page, grid: MinerGrid, query: str) -> None:
    async def order(action: AnyAction, title: str) -> None:
        if not page.visit.may(Permission.OPERATE):
            return
        frame = page.operations.fleet.frame(page.site.id)
        chosen = matching_ids(frame, query) if everything.value else grid.selected
        selection = Selection(device_ids=chosen, snapshot=frame.snapshot)
        await open_order(page.visit, OrderRequest(site=page.site.id, action=action, selection=selection), title)

    async def limit() -> None:
        value = watts.value
        if isinstance(value, int | float) and LEAST_LIMIT_W <= value <= GREATEST_LIMIT_W:
            await order(SetPowerLimit(int(value)), f"Limit power to {int(value):,} W")

    with grid:
        everything = ui.checkbox("All that match, not only the selected").props("dense data-testid=everything")
        for name, label, action in _ORDERS:
            Button(label, partial(order, action, label), order=True, test=f"order-{name}")
        watts = ui.number("Watts", value=3000, min=LEAST_LIMIT_W, max=GREATEST_LIMIT_W, step=50).classes("bes-input")
        watts.props("outlined dense").style("width: 110px")
        Button("Limit power", limit, order=True, test="order-limit")
