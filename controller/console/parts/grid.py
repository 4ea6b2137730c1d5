"""The miner table, which reads its rows from the API by itself; the server is told only what is selected."""

from collections.abc import Callable
from typing import NamedTuple

from nicegui.element import Element
from nicegui.elements.aggrid import AgGrid
from nicegui.events import GenericEventArguments

from controller.console.parts.frame import text_of
from controller.console.topics.words import site_href

AG_GRID = AgGrid.VERSION  # importing it offers the grid's script to `grid.js`
MAX_SELECTED = 10_000


class GridColumn(NamedTuple):
    """`kind`: number, power, state, age, mono, slot or plain."""

    field: str
    label: str
    width: int
    kind: str = "plain"
    decimals: int = 0


COLUMNS = (
    GridColumn("slot", "Slot", 148, "slot"),
    GridColumn("condition", "State", 132, "state"),
    GridColumn("hashrate_ths", "TH/s", 88, "number", 1),
    GridColumn("power_w", "Power W", 94, "power"),
    GridColumn("power_limit_w", "Limit W", 90, "number"),
    GridColumn("efficiency_j_per_th", "J/TH", 76, "number", 1),
    GridColumn("chip_temp_c", "Chip °C", 86, "number"),
    GridColumn("inlet_temp_c", "Inlet °C", 88, "number"),
    GridColumn("fan_rpm", "Fan rpm", 92, "number"),
    GridColumn("age_s", "Read", 84, "age"),
    GridColumn("model", "Model", 142),
    GridColumn("firmware", "Firmware", 196),
    GridColumn("address", "Address", 122, "mono"),
    GridColumn("feeder", "Feeder", 92),
    GridColumn("node", "Node", 88),
)


class MinerGrid(Element, component="grid.js", esm={"bes-draw": "draw"}):
    """`query_url` is the API's address of the query; order and rows are added by the browser."""

    def __init__(self, site: str, *, query_url: str, sort: str, go: Callable[[str], None]) -> None:
        super().__init__()
        self.selected: tuple[str, ...] = ()
        self.props.update(
            url=query_url,
            base=site_href(site, "miner/"),
            columns=[column._asdict() for column in COLUMNS],
            sort=sort,
        )
        self.on("go", lambda event: go(text_of(event.args, "href")))
        self.on("selected", self._select)

    def ask(self, query_url: str) -> None:
        """Show the rows of another query."""
        if query_url != self.props["url"]:
            self.selected = ()
            self.props["url"] = query_url
            self.update()

    def _select(self, event: GenericEventArguments) -> None:
        ids = event.args.get("ids") if isinstance(event.args, dict) else None
        if isinstance(ids, list):
            self.selected = tuple(item for item in ids[:MAX_SELECTED] if isinstance(item, str))
