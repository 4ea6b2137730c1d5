"""What happened at the site, page by page: notices, and alarms whether they stand or are over."""

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from nicegui import ui

from controller.console.feed import Content
from controller.console.format import moment, zone
from controller.console.pages.page import Page
from controller.console.parts.chip import choose, link
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.words import site_href
from controller.people.model import Permission
from controller.views.event import EventKind, EventRequest, EventView

EVENTS_SHOWN = 50
_EVENTS = (
    Column("mark", "", lead=True),
    Column("at", "When"),
    Column("code", "Event", lead=True),
    Column("subject", "Of"),
    Column("text", "What", wrap=True),
    Column("end", "Since then", wrap=True),
    Column("node", "Told by", phone=False),
)
_KINDS = (("", "All"), (EventKind.ALARM.value, "Alarms"), (EventKind.NOTICE.value, "Notices"))


class EventList:
    """`show` what an address asks for: `kind`, and `before`, a place that an earlier page gave."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with ui.element("nav").classes("bes-chips").props('aria-label="Kinds of events"').style("margin-bottom: 8px"):
            self._kinds = {kind: link(label, self._href(kind), test=f"kind-{kind or 'all'}") for kind, label in _KINDS}
        self._sheet = Sheet(_EVENTS, {"rows": []}, topic="", caption="Events", empty="")
        with ui.element("nav").classes("bes-chips").props('aria-label="Pages of events"').style("margin-top: 8px"):
            self._newest, self._older = link("Newest", ""), link("Older", "", test="older-events")

    async def show(self, query: dict[str, str]) -> None:
        kind, before = query.get("kind", ""), query.get("before", "")
        if kind not in self._kinds:
            kind = ""
        wanted = EventKind(kind) if kind else None
        request = EventRequest(site=self._page.site.id, kind=wanted, before=before, limit=EVENTS_SHOWN)
        events = self._page.operations.events
        found = await self._page.visit.act(Permission.VIEW, lambda _actor: events.listed(request))
        if found is None:
            return
        choose(self._kinds, kind)
        tz = zone(self._page.site.time_zone)
        self._sheet.props["first"] = [_row(place, event, tz) for place, event in enumerate(found.entries)]
        self._sheet.props["empty"] = "Nothing more." if before else "Nothing of the kind has happened."
        self._sheet.update()
        for element, shown, place in ((self._newest, before, ""), (self._older, found.before, found.before)):
            element.props["href"] = self._href(kind, place)
            element.set_visibility(bool(shown))
            element.update()

    def _href(self, kind: str, before: str = "") -> str:
        words = {"show": "events", "kind": kind, "before": before}
        return site_href(
            self._page.site.id, f"alarms?{urlencode({name: word for name, word in words.items() if word})}"
        )


def _row(place: int, event: EventView, tz: ZoneInfo | None) -> Content:
    over = [] if event.cleared_at_ms is None else [f"over since {moment(event.cleared_at_ms, tz)}"]
    seen = [f"seen by {event.acknowledged_by}"] if event.acknowledged_by else []
    is_alarm = event.kind is EventKind.ALARM
    since = "; ".join(over + seen) or ("stands" if is_alarm else "")
    return {
        "id": str(place),
        "quiet": not is_alarm or bool(over),
        "cells": [
            {"text": "", "mark": event.priority} if is_alarm else "",
            moment(event.at_ms, tz),
            event.code,
            event.subject,
            event.text,
            {"text": since, "dim": True} if since else "",
            event.node,
        ],
    }
