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

    return (Topic("alarms", 1.0, alarms),)


def _row(alarm: AlarmView, site: str, now_ms: int) -> Content:
    new = not alarm.acknowledged_by
    members: Content = {"text": plural(alarm.members, "device")}
    if alarm.query:
        members["href"] = miners_href(site, alarm.query)
    state: Content = {"text": "new" if new else f"seen by {alarm.acknowledged_by}", "dim": not new}
    if alarm.cleared_at_ms is not None:
        state["text"] = "cleared, not acknowledged" if new else "cleared"
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
