"""What the journal needs of a store and of the clock's owner."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from controller.journal.head import SignedHead
from controller.journal.merkle import NodeAt
from controller.journal.model import Commit, Found, LogState, OutboxEntry, RecordedEvent, Snapshot


class EventStore(Protocol):
    """Durable before it answers: what `commit` returned survives a power cut."""

    async def commit(self, commit: Commit, at_ms: int) -> tuple[RecordedEvent, ...]:
        """All or nothing; Conflict where an expected version is not the present one."""
        ...

    async def state(self) -> LogState: ...

    async def read_stream(self, stream: str, after_version: int, limit: int) -> list[RecordedEvent]: ...

    async def read_from(self, after_position: int, limit: int) -> list[RecordedEvent]: ...

    async def search(self, text: str, before_position: int | None, limit: int) -> Found:
        """Events with `text` in stream, actor, name or data, in any case. Looks through a bounded part of the log."""
        ...

    async def nodes(self, places: Sequence[NodeAt]) -> dict[NodeAt, bytes]:
        """Hashes of complete subtrees; a place that the tree does not have is left out."""
        ...

    async def add_head(self, head: SignedHead) -> None: ...

    async def heads(self, limit: int) -> list[SignedHead]:
        """Newest first."""
        ...


class Outbox(Protocol):
    """Effects that were committed and not settled."""

    async def take(self, kind: str, now_ms: int, limit: int) -> list[OutboxEntry]:
        """The oldest that are due, leaving out lanes whose first entry waits for its next attempt."""
        ...

    async def next_due_ms(self, kind: str) -> int | None:
        """When the next entry is due; None where nothing waits."""
        ...

    async def retry(self, entry_id: int, at_ms: int, error: str) -> None:
        """Count a failed attempt; not before `at_ms` again."""
        ...


class Snapshots(Protocol):
    async def load(self, projection: str) -> Snapshot | None: ...

    async def save(self, projection: str, snapshot: Snapshot) -> None: ...


class LogFile(Protocol):
    """A journal at rest, read for an audit. Iterators raise Corrupt where the file itself cannot be read."""

    def problems(self) -> list[str]:
        """What the file format's own check finds; empty where it is sound."""
        ...

    def state(self) -> LogState: ...

    def events(self) -> Iterator[RecordedEvent]:
        """By position."""
        ...

    def heads(self) -> Iterator[SignedHead]:
        """By size."""
        ...

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        """Stored subtree hashes of a level as (index, hash), by index."""
        ...
