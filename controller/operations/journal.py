"""The hash-chained log as a search shows it."""

from typing import Any

import msgspec

from controller.journal import Journal, RecordedEvent
from controller.journal.merkle import leaf_hash
from controller.views.journal import JournalEntry, JournalPage
from shared.errors import Corrupt

LONGEST_VALUE = 80
LONGEST_TEXT = 300
_UNSAID = ("session", "event")  # who it was stands beside, which kind as well


class LiveJournal:
    """Fills `controller.views.ports.Journal`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def search(self, text: str, *, before: int | None = None, limit: int = 50) -> JournalPage:
        found = await self._journal.search(text.strip(), before=before, limit=limit)
        return JournalPage(entries=tuple(map(_entry, found.events)), before=found.before)


def _entry(event: RecordedEvent) -> JournalEntry:
    return JournalEntry(
        seq=event.position,
        at_ms=event.at_ms,
        stream=event.stream,
        kind=event.name,
        actor=event.actor,
        text=text_of(event),
        hash=leaf_hash(event.digest).hex(),
    )


def text_of(event: RecordedEvent) -> str:
    """The event's plain fields; of lists only how long they are, so that what they hold (pools) is not shown."""
    try:
        data = msgspec.json.decode(event.data)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"event {event.position} ({event.name}) of {event.stream!r}: {error}") from error
    fields = data.items() if isinstance(data, dict) else ()
    said = (f"{name}: {_short(value)}" for name, value in fields if name not in _UNSAID and value not in (None, ""))
    return "; ".join(said)[:LONGEST_TEXT]


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{len(value):,}"
    return str(value)[:LONGEST_VALUE]
