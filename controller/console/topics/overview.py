"""All sites side by side, each with the age of its data."""

from controller.console.feed import Content, Topic
from controller.console.format import age, hash_unit, number, power_unit, quantity
from controller.console.topics.words import site_href
from controller.views.ports import Operations
from controller.views.site import SiteView
from controller.views.summary import summarise
from shared.errors import BesError


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def sites(_site: str, _subject: str) -> Content:
        return {"rows": [_row(operations, view) for view in operations.fleet.sites()]}

    return (Topic("sites", 2.0, sites),)


def _row(operations: Operations, site: SiteView) -> Content:
    name = {"text": site.name, "href": site_href(site.id)}
    try:
        summary = summarise(operations.fleet.frame(site.id), operations.energy.state(site.id))
    except BesError as error:
        return {"id": site.id, "quiet": True, "cells": [name, {"text": error.detail, "dim": True}]}
    power, hashed = summary.power_w.value, summary.hashrate_ths.value
    silent = not any(node.connected for node in operations.nodes.nodes(site.id))
    contact: Content = {"text": f"{age(site.last_contact_ms, operations.clock.now_ms())} ago"}
    return {
        "id": site.id,
        "quiet": silent,
        "cells": [
            name,
            quantity(hashed, hash_unit(hashed)),
            quantity(power, power_unit(power)),
            number(summary.efficiency_j_per_th.value, 2),
            number(summary.profit_usd_h.value, 2),
            f"{number(summary.reporting)} of {number(summary.miners)}",
            contact | {"mark": 2} if silent else contact,
        ],
    }
