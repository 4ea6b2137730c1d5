"""Who operates a miner by hand, so that dispatch leaves it alone."""

from itertools import groupby

from controller.console.feed import Content, Topic
from controller.console.format import age, plural
from controller.console.topics.words import miner_href, site_href
from controller.views.hold import HoldView
from controller.views.ports import Operations

_RELEASE = [{"name": "release", "label": "Release to dispatch"}]


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def hold(site: str, device_id: str) -> Content:
        found = [view for view in operations.holds.listed(site) if view.device_id == device_id]
        return {"rows": [_row(site, device_id, [view], operations.clock.now_ms()) for view in found]}

    async def holds(site: str, _subject: str) -> Content:
        listed = sorted(operations.holds.listed(site), key=lambda view: (-view.at_ms, view.command_id))
        groups = [(command_id, list(views)) for command_id, views in groupby(listed, lambda view: view.command_id)]
        return {"rows": [_row(site, command_id, views, operations.clock.now_ms()) for command_id, views in groups]}

    return (Topic("hold", 1.0, hold), Topic("holds", 2.0, holds))


def _row(site: str, row_id: str, views: list[HoldView], now_ms: int) -> Content:
    """Miners that one order holds."""
    first = views[0]
    one = {"text": first.slot, "href": miner_href(site, first.device_id)}
    many = {"text": plural(len(views), "miner"), "href": site_href(site, f"commands/{first.command_id}")}
    return {
        "id": row_id,
        "cells": [
            one if len(views) == 1 else many,
            first.by,
            first.reason,
            {"text": f"{age(first.at_ms, now_ms)} ago", "dim": True},
            {"text": "", "acts": _RELEASE},
        ],
    }
