"""Standing alarms: one row a cause, the newest of the worst first."""

from controller.console.feed import Content, Topic
from controller.console.format import age, plural
from controller.console.topics.words import miners_href
from controller.views.alarm import AlarmView
from controller.views.ports import Operations


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def alarms(site: str, _subject: str) -> Content:
        now_ms = operations.clock.now_ms()
        return {"rows": [_row(alarm, site, now_ms) for alarm in operations.alarms.standing(site)]}

    async def of_miner(site: str, device_id: str) -> Content:
        now_ms, frame = operations.clock.now_ms(), operations.fleet.frame(site)
        row = frame.layout.row_of.get(device_id, -1)
        queries = {f"alarm:{mark.code}/{mark.cause}" for mark in frame.alarms if (mark.rows == row).any()}
        touching = queries | {f"id:{device_id}"}
        standing = operations.alarms.standing(site)
        return {"rows": [_row(alarm, site, now_ms) for alarm in standing if alarm.query in touching]}

    return (Topic("alarms", 1.0, alarms), Topic("miner-alarms", 1.0, of_miner))


def _row(alarm: AlarmView, site: str, now_ms: int) -> Content:
    new = not alarm.acknowledged_by
    members: Content = {"text": _touched(alarm), "title": ", ".join(alarm.others)}
    if alarm.query:
        members["href"] = miners_href(site, alarm.query)
    state: Content = {"text": "new" if new else f"seen by {alarm.acknowledged_by}", "dim": not new}
    if alarm.cleared_at_ms is not None:
        state["text"] = "cleared"  # it stands until somebody has seen it
    if new:
        state["acts"] = [{"name": "acknowledge", "label": "Acknowledge"}]
    return {
        "id": alarm.id,
        "quiet": not new,
        "cells": [
            {"text": "", "mark": alarm.priority, "new": new},
            {"text": alarm.text, "title": alarm.code},
            members,
            {"text": alarm.action, "dim": True},
            age(alarm.raised_at_ms, now_ms),
            state,
        ],
    }


def _touched(alarm: AlarmView) -> str:
    """As many miners as the link lists, and how many devices it cannot list."""
    others = alarm.members - alarm.miners
    if not alarm.miners:
        return plural(others, "device")
    return plural(alarm.miners, "miner") + (f" and {plural(others, 'other')}" if others else "")
