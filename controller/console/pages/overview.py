"""All sites in one table; where there is only one, the address leads straight to it."""

from nicegui import ui

from controller.console.feed import Key
from controller.console.pages.page import card, heading
from controller.console.parts import states
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.words import site_href
from controller.console.visit import Visit

_COLUMNS = (
    Column("site", "Site", lead=True),
    Column("hash", "Hash rate", end=True),
    Column("power", "Power by meter", end=True),
    Column("efficiency", "J/TH", end=True),
    Column("margin", "USD/h", end=True),
    Column("miners", "Reporting", end=True),
    Column("contact", "Last contact", end=True),
)
LOOK_S = 1.0


async def build(visit: Visit) -> None:
    visit.leave_page()
    if not visit.operations.fleet.sites():
        states.first_run()
        ui.timer(LOOK_S, lambda: _open_first(visit))
        return
    heading("Sites")
    key = Key("sites", "")
    visit.listen(key)
    with card():
        Sheet(_COLUMNS, (await visit.feed.newest(key)).content, topic="sites", caption="Sites", empty="No site.")


def _open_first(visit: Visit) -> None:
    """The first agent has described its site: show it."""
    if sites := visit.operations.fleet.sites():
        visit.go(site_href(sites[0].id))
