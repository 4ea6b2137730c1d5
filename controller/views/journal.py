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
    """Newest first. `before` asks for what is older, None at the end; a search looks through a part of a large log at
    once, so a page may hold little or nothing and still go on.
    """

    entries: tuple[JournalEntry, ...]
    before: int | None = None
