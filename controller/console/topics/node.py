"""Agents: last contact, what waits in their spools, their clocks, and what is gone for good."""

from controller.console.feed import Content, Topic
from controller.console.format import MISSING, age, duration, moment, number, zone
from controller.console.topics.words import CLOCKS
from controller.views.history import GapView
from controller.views.ports import Operations
from controller.views.site import NodeView
from shared.states import ClockQuality


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def nodes(site: str, _subject: str) -> Content:
        now_ms = operations.clock.now_ms()
        return {"rows": [_node_row(node, now_ms) for node in operations.nodes.nodes(site)]}

    async def gaps(site: str, _subject: str) -> Content:
        view = next((item for item in operations.fleet.sites() if item.id == site), None)
        tz_name = view.time_zone if view else "UTC"
        return {"rows": [_gap_row(gap, tz_name) for gap in await operations.nodes.gaps(site)]}

    return (Topic("nodes", 2.0, nodes), Topic("gaps", 10.0, gaps))


def _node_row(node: NodeView, now_ms: int) -> Content:
    clock_ok = node.clock_quality == ClockQuality.SYNCHRONISED
    error = "" if node.clock_error_ms is None else f", {number(node.clock_error_ms, 1)} ms"
    contact: Content = {"text": f"{age(node.last_contact_ms, now_ms)} ago" if node.last_contact_ms else "never"}
    if not node.connected:
        contact |= {"mark": 2}
    clock_cell: Content = {"text": CLOCKS[ClockQuality(node.clock_quality)] + error}
    if not clock_ok:
        clock_cell |= {"mark": 3}
    known = number(node.devices_known)
    return {
        "id": node.id,
        "quiet": not node.connected,
        "cells": [
            node.id,
            contact,
            f"{number(node.devices_up)} of {known}" if node.devices_known is not None else MISSING,
            number(node.backlog_rows),
            duration(node.backlog_oldest_s) if node.backlog_rows else MISSING,
            clock_cell,
            number(node.cpu_pct),
            number(None if node.disk_free_mb is None else node.disk_free_mb / 1000, 1),
            number(node.gaps),
            {"text": node.software, "mono": True},
        ],
    }


def _gap_row(gap: GapView, tz_name: str) -> Content:
    tz = zone(tz_name)
    return {
        "id": f"{gap.epoch}-{gap.from_seq}",
        "cells": [
            gap.node,
            moment(gap.first_ms, tz),
            duration(_span_s(gap)),
            number(gap.samples),
            gap.reason.replace("_", " "),
            {"text": f"{gap.epoch} {gap.from_seq}–{gap.to_seq}", "mono": True, "dim": True},
        ],
    }


def _span_s(gap: GapView) -> float | None:
    return None if gap.first_ms is None or gap.last_ms is None else (gap.last_ms - gap.first_ms) / 1000
