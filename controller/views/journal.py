"""Events of the hash-chained log, as far as a search shows them."""

import msgspec

from controller.views import unit


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the hash-chained log; `hash` is that of its leaf, in hex."""

    seq: int
    at_ms: unit.Millis
    stream: str
    kind: str
    actor: str
    text: str
    hash: str


class JournalPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `before` of the next page is the last `seq`, None at the end."""

    entries: tuple[JournalEntry, ...]
    before: int | None = None
