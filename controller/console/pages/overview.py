"""All sites in one table; where there is only one, the address leads straight to it."""

from controller.console.format import age, hash_unit, number, power_unit, quantity
from controller.console.pages.page import card, heading
from controller.console.parts import states
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.words import site_href
from controller.console.visit import Visit
from controller.views.site import SiteView
from controller.views.summary import summarise
from shared.errors import BesError

_COLUMNS = (
    Column("site", "Site"),
    Column("hash", "Hash rate", end=True),
    Column("power", "Power by meter", end=True),
    Column("efficiency", "J/TH", end=True),
    Column("margin", "USD/h", end=True),
    Column("miners", "Reporting", end=True),
    Column("contact", "Last contact", end=True),
)


async def build(visit: Visit) -> None:
    visit.leave_page()
    sites = visit.operations.fleet.sites()
    if not sites:
        states.first_run()
        return
    heading("Sites")
    with card():
        rows = [_row(visit, site) for site in sites]
        Sheet(_COLUMNS, {"rows": rows}, topic="", caption="Sites", empty="No site.")


def _row(visit: Visit, site: SiteView) -> dict[str, object]:
    operations = visit.operations
    name = {"text": site.name, "href": site_href(site.id)}
    try:
        summary = summarise(operations.fleet.frame(site.id), operations.energy.state(site.id))
    except BesError as error:
        return {"id": site.id, "quiet": True, "cells": [name, {"text": error.detail, "dim": True}]}
    power, hashed = summary.power_w.value, summary.hashrate_ths.value
    return {
        "id": site.id,
        "cells": [
            name,
            quantity(hashed, hash_unit(hashed)),
            quantity(power, power_unit(power)),
            number(summary.efficiency_j_per_th.value, 2),
            number(summary.profit_usd_h.value, 2),
            f"{number(summary.reporting)} of {number(summary.miners)}",
            age(site.last_contact_ms, operations.clock.now_ms()),
        ],
    }
