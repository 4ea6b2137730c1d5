"""The life of an alarm: new, acknowledged, cleared; it stands until it is both acknowledged and cleared."""

from enum import StrEnum

import msgspec

from shared.wire.event import Event


class AlarmPhase(StrEnum):
    NEW = "new"  # active, nobody has seen it
    ACKNOWLEDGED = "acknowledged"  # active, somebody cares
    CLEARED = "cleared"  # over, nobody has seen it
    CLOSED = "closed"  # over and seen


class Shelf(msgspec.Struct, frozen=True):
    """Put aside by a person, with a reason and never for ever."""

    until_ms: int
    by: str
    reason: str


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One (site, code, subject). `occurrences` counts how often it came back before it was closed."""

    site: str
    code: str
    subject: str
    node: str
    priority: int
    text: str
    raised_at_ms: int
    last_at_ms: int
    occurrences: int = 1
    cleared_at_ms: int | None = None
    acknowledged_by: str = ""
    acknowledged_at_ms: int | None = None
    shelf: Shelf | None = None

    @property
    def alarm_id(self) -> str:
        return alarm_key(self.site, self.code, self.subject)

    @property
    def phase(self) -> AlarmPhase:
        if self.cleared_at_ms is None:
            return AlarmPhase.NEW if self.acknowledged_at_ms is None else AlarmPhase.ACKNOWLEDGED
        return AlarmPhase.CLEARED if self.acknowledged_at_ms is None else AlarmPhase.CLOSED

    def shelved(self, now_ms: int) -> bool:
        return self.shelf is not None and now_ms < self.shelf.until_ms


def alarm_key(site: str, code: str, subject: str) -> str:
    return f"{site}:{code}:{subject}"


def after(standing: Alarm | None, event: Event, site: str, node: str) -> Alarm | None:
    """The alarm after an event of its (code, subject); None where a clear finds nothing standing.

    One that comes back must be acknowledged again; repeated news of an active one changes only its text and priority.
    """
    if not event.active:
        return standing and msgspec.structs.replace(standing, cleared_at_ms=event.at_ms, last_at_ms=event.at_ms)
    if standing is None:
        return Alarm(
            site=site,
            code=event.code,
            subject=event.subject,
            node=node,
            priority=event.severity,
            text=event.text,
            raised_at_ms=event.at_ms,
            last_at_ms=event.at_ms,
        )
    news = msgspec.structs.replace(standing, priority=event.severity, text=event.text, last_at_ms=event.at_ms)
    if standing.cleared_at_ms is None:
        return news
    return msgspec.structs.replace(
        news,
        occurrences=standing.occurrences + 1,
        cleared_at_ms=None,
        acknowledged_by="",
        acknowledged_at_ms=None,
    )


def acknowledged(alarm: Alarm, by: str, at_ms: int) -> Alarm:
    return msgspec.structs.replace(alarm, acknowledged_by=by, acknowledged_at_ms=at_ms)


def shelved(alarm: Alarm, shelf: Shelf) -> Alarm:
    return msgspec.structs.replace(alarm, shelf=shelf)
