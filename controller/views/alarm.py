"""What needs a person."""

import msgspec

from controller.views import unit


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """One cause, however many devices it touches. `priority` 1 is act now; `query` finds in the table of miners those
    `members` that are miners: all but the first few named in `others`.

    It stands until it is both cleared and acknowledged.
    """

    id: str
    site: str
    priority: int
    code: str
    subject: str
    text: str
    action: str
    raised_at_ms: unit.Millis
    members: int = 1
    miners: int = 0
    others: tuple[str, ...] = ()
    query: str = ""
    acknowledged_by: str = ""
    acknowledged_at_ms: unit.Millis | None = None
    cleared_at_ms: unit.Millis | None = None
