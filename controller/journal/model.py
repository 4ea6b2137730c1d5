"""What is written and what is read back: events in streams, side effects beside them, one commit around both."""

import msgspec


class NewEvent(msgspec.Struct, frozen=True):
    """A fact to be written. `name` is its type in the past tense, `data` its JSON, `actor` who caused it."""

    name: str
    data: bytes
    actor: str


class RecordedEvent(msgspec.Struct, frozen=True):
    """A fact as it stands in the log. `position` counts all events from 1, `version` those of its stream from 1.

    `digest` is the event's link of the hash chain, `previous` the link before it (chain.py).
    """

    position: int
    stream: str
    version: int
    at_ms: int
    actor: str
    name: str
    data: bytes
    previous: bytes
    digest: bytes


class Found(msgspec.Struct, frozen=True):
    """Events that a search found, newest first. `before` is where to go on; None where the beginning was reached."""

    events: list[RecordedEvent]
    before: int | None


class Append(msgspec.Struct, frozen=True):
    """Events for one stream. With `expected_version` (0: the stream is new) they are refused when somebody wrote first.

    None appends to whatever is there: right for facts that arrived, wrong for decisions.
    """

    stream: str
    events: tuple[NewEvent, ...]
    expected_version: int | None = None


class SideEffect(msgspec.Struct, frozen=True):
    """Something to be done in the world once the events beside it are durable.

    `key` makes it idempotent: a second effect of the same key is dropped. Effects of one `lane` happen in order.
    """

    key: str
    kind: str
    lane: str
    payload: bytes


class OutboxEntry(msgspec.Struct, frozen=True):
    """An effect that has not been settled; `attempts` counts the failed ones."""

    entry_id: int
    key: str
    kind: str
    lane: str
    payload: bytes
    attempts: int


class Commit(msgspec.Struct, frozen=True):
    """What becomes durable together or not at all; `settles` are outbox entries that are done."""

    appends: tuple[Append, ...] = ()
    effects: tuple[SideEffect, ...] = ()
    settles: tuple[int, ...] = ()


class LogState(msgspec.Struct, frozen=True):
    """Where a log stands: its identity, how many events, the chain's last link and the Merkle tree's peaks."""

    log_id: bytes
    size: int
    digest: bytes
    peaks: tuple[bytes, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """A projection's state after all events up to `position`; never evidence, always rebuildable."""

    position: int
    data: bytes
