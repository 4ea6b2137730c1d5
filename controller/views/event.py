"""What happened at a site: notices that need nobody, and alarms, also those that are over and seen."""

from enum import StrEnum

import msgspec

from controller.views import unit


class EventKind(StrEnum):
    NOTICE = "notice"
    ALARM = "alarm"


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """`priority` 1 is act now, 0 a notice. An alarm is listed by when it was raised; each return after it was closed is
    one of its own.
    """

    kind: EventKind
    at_ms: unit.Millis
    code: str
    subject: str
    node: str
    text: str
    priority: int = 0
    cleared_at_ms: unit.Millis | None = None
    acknowledged_by: str = ""


class EventRequest(msgspec.Struct, frozen=True, kw_only=True):
    """From `from_ms` on and before `to_ms`; of one `kind` and with codes that begin with `code` where these are given.
    `before` is that of the page before this one.
    """

    site: str
    kind: EventKind | None = None
    code: str = ""
    from_ms: unit.Millis = 0
    to_ms: unit.Millis | None = None
    before: str = ""
    limit: int = 50


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `before` asks for what is older, empty at the end; a page may hold few or none and still go on."""

    entries: tuple[EventView, ...]
    before: str = ""
