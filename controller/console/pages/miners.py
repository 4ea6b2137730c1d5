"""The table of all miners: search, conditions to choose from, orders for the selected or for all that match."""

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from nicegui import ui

from controller.console.pages.page import Page, card, heading
from controller.console.parts.button import Button
from controller.console.parts.command_dialog import open_order
from controller.console.parts.grid import MinerGrid
from controller.console.parts.tiles import Chips, SearchHelp
from controller.console.topics.words import miners_href, site_href
from controller.people.model import Permission
from controller.views.command import CommandRequest, Selection
from controller.views.miner import matching_ids
from controller.views.query import NUMBER_WORDS, WORD_FIELDS, Query, parse
from shared.actions import AnyAction, Restart, SetPowerLimit, Sleep, Wake
from shared.errors import BesError

_ORDERS: tuple[tuple[str, str, AnyAction], ...] = (
    ("sleep", "Sleep", Sleep()),
    ("wake", "Wake", Wake()),
    ("restart", "Restart", Restart()),
)
LEAST_LIMIT_W, GREATEST_LIMIT_W = 200, 20_000


async def build(page: Page) -> None:
    heading("Miners")
    with card():
        search = Search(page)
        await search.lay_out()
    page.visit.answer_in_place(f"/site/{page.site.id}/miners", search.ask)


class Search:
    """What is asked for, as typed and as chips, and the table that answers. A new query changes them in place."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._query = Query()
        self._grid: MinerGrid | None = None

    async def lay_out(self) -> None:
        with ui.element("div").classes("bes-head"):
            self._field = ui.input(placeholder="state:hot model:S21* chip>85 rack:C07").classes("bes-input bes-find")
            self._field.props('outlined dense clearable maxlength=500 data-testid=filter aria-label="Filter"')
            self._field.props("enterkeyhint=search")
            self._field.on("keydown.enter", self._open)
            self._field.on("clear", lambda: self._page.visit.go(site_href(self._page.site.id, "miners")))
        SearchHelp(_help())
        self._problem = ui.label().classes("bes-refusal").props("role=alert data-testid=query-problem")
        self._problem.style("margin-bottom: 10px")
        self._chips = Chips(await self._page.follow("site"), terms=[], asked=[])
        self._results = ui.element("div")
        self.ask(self._page.query)

    def ask(self, query: dict[str, str]) -> None:
        """What cannot be understood is said, and offers neither rows nor orders."""
        text = query.get("q", "")
        self._field.set_value(text)
        try:
            self._query, problem = parse(text), ""
        except BesError as error:
            self._query, problem = Query(), error.detail
        self._problem.set_text(problem)
        self._problem.set_visibility(bool(problem))
        asked = [value for term in self._query.terms if term.field == "state" for value in term.values]
        self._chips.show(self._terms(), asked)
        if problem:
            self._results.clear()
            self._grid = None
        elif self._grid is None:
            with self._results:
                self._grid = self._table(query.get("sort", ""))
        else:
            self._grid.ask(self._url)

    @property
    def _url(self) -> str:
        return f"{self._page.api_url}/miners?q={quote(str(self._query), safe='')}"

    def _open(self) -> None:
        text = " ".join((self._field.value or "").split())
        self.ask({"q": text})  # at once; the address follows
        self._page.visit.go(miners_href(self._page.site.id, text))

    def _terms(self) -> list[dict[str, str]]:
        terms = [term.text for term in self._query.terms]
        return [
            {"text": term, "without": miners_href(self._page.site.id, " ".join(terms[:place] + terms[place + 1 :]))}
            for place, term in enumerate(terms)
        ]

    def _table(self, sort: str) -> MinerGrid:
        grid = MinerGrid(self._page.site.id, query_url=self._url, sort=sort, go=self._page.visit.go)
        if self._page.operates:
            _orders(self._page, grid, lambda: str(self._query))
        return grid


def _help() -> list[tuple[str, str]]:
    words = [(f"{name}:…", meaning) for name, meaning in WORD_FIELDS.items()]
    return words + [(f"{name}>…", meaning) for name, meaning in NUMBER_WORDS.items()]


def _orders(page: Page, grid: MinerGrid, query: Callable[[], str]) -> None:
    async def order(action: AnyAction, title: str) -> None:
        if not page.visit.may(Permission.OPERATE):
            return
        frame = page.operations.fleet.frame(page.site.id)
        chosen = matching_ids(frame, query()) if everything.value else grid.selected
        selection = Selection(device_ids=chosen)
        await open_order(page.visit, CommandRequest(site=page.site.id, action=action, selection=selection), title)

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
