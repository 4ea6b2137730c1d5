"""Notices and alarms of a site in one list, newest first, page by page."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from controller.fleet import Alarm, EventStore, Notice
from controller.operations.moment import Moments
from controller.views.event import EventKind, EventPage, EventRequest, EventView
from shared.errors import Malformed

CHUNK = 200
CHUNKS_A_PAGE = 25
_ALARM, _NOTICE = 0, 1
_NEWEST_MS = 2**62
_CURSOR = re.compile(r"(\d{1,18})-(?:n(\d{1,18})|a(.{1,400}))", re.ASCII | re.DOTALL)


class Place(NamedTuple):
    """Where an event stands in the list: by time, then alarms below notices, then by number or name."""

    at_ms: int
    rank: int
    key: int | str

    def below(self, rank: int, least: int | str) -> tuple[int, int | str]:
        """Events of a rank are below this place where their (time, key) is less than this."""
        if rank == self.rank:
            return self.at_ms, self.key
        return (self.at_ms + 1 if rank < self.rank else self.at_ms), least

    def __str__(self) -> str:
        return f"{self.at_ms}-{'n' if self.rank == _NOTICE else 'a'}{self.key}"


class LiveEvents:
    """Fills `controller.views.ports.Events`."""

    def __init__(self, moments: Moments, store: EventStore) -> None:
        self._moments = moments
        self._store = store

    async def listed(self, request: EventRequest) -> EventPage:
        self._moments.of(request.site)
        place = _begin(request)
        found: list[EventView] = []
        for _ in range(CHUNKS_A_PAGE):
            chunk = await self._chunk(request, place)
            for place, event in chunk:
                if event.code.startswith(request.code):
                    found.append(event)
                if len(found) == request.limit:
                    return EventPage(entries=tuple(found), before=str(place))
            if len(chunk) < CHUNK:
                return EventPage(entries=tuple(found))
        return EventPage(entries=tuple(found), before=str(place))

    async def _chunk(self, request: EventRequest, place: Place) -> Sequence[tuple[Place, EventView]]:
        """The next events below a place, of both kinds or of the one that is asked for."""
        found: list[tuple[Place, EventView]] = []
        if request.kind is not EventKind.ALARM:
            at_ms, number = place.below(_NOTICE, 0)
            notices = await self._store.notices(request.site, request.from_ms, (at_ms, int(number)), CHUNK)
            found += [(Place(notice.at_ms, _NOTICE, key), _of_notice(notice)) for key, notice in notices]
        if request.kind is not EventKind.NOTICE:
            at_ms, name = place.below(_ALARM, "")
            alarms = await self._store.alarms(request.site, request.from_ms, (at_ms, str(name)), CHUNK)
            found += [(Place(alarm.raised_at_ms, _ALARM, alarm.alarm_id), _of_alarm(alarm)) for alarm in alarms]
        return sorted(found, key=lambda item: item[0], reverse=True)[:CHUNK]


def _begin(request: EventRequest) -> Place:
    newest = Place(_NEWEST_MS if request.to_ms is None else request.to_ms, _ALARM, "")
    if not request.before:
        return newest
    match = _CURSOR.fullmatch(request.before)
    if match is None:
        raise Malformed(f"before: {request.before[:80]!r} is not the `before` of a page of events")
    at_ms, number, name = match.groups()
    given = Place(int(at_ms), _ALARM, name) if number is None else Place(int(at_ms), _NOTICE, int(number))
    return min(newest, given)


def _of_notice(notice: Notice) -> EventView:
    return EventView(
        kind=EventKind.NOTICE,
        at_ms=notice.at_ms,
        code=notice.code,
        subject=notice.subject,
        node=notice.node,
        text=notice.text,
    )


def _of_alarm(alarm: Alarm) -> EventView:
    return EventView(
        kind=EventKind.ALARM,
        at_ms=alarm.raised_at_ms,
        code=alarm.code,
        subject=alarm.subject,
        node=alarm.node,
        text=alarm.text,
        priority=alarm.priority,
        cleared_at_ms=alarm.cleared_at_ms,
        acknowledged_by=alarm.acknowledged_by,
    )
