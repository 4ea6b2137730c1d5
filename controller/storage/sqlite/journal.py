"""The journal in one SQLite file: one writer thread with group commit, readers beside it."""

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from controller.journal.chain import DIGEST_BYTES, genesis, link
from controller.journal.head import SignedHead
from controller.journal.merkle import NodeAt, Tree
from controller.journal.model import Append, Commit, Found, LogState, RecordedEvent, Snapshot
from controller.storage.sqlite.migration import migrate
from controller.storage.sqlite.reader import Reader
from shared.errors import Conflict, Corrupt
from shared.group_commit import GroupCommitter

EVENT_COLUMNS = "position, stream, version, at_ms, actor, name, data, previous, digest"
EVENTS_A_SEARCH = 100_000
_NODES_A_QUERY = 400
_SEARCH = (
    f"SELECT {EVENT_COLUMNS} FROM event WHERE position < :before AND position >= :floor AND (:text = '' "  # noqa: S608
    "OR instr(lower(stream), :text) OR instr(lower(actor), :text) OR instr(lower(name), :text) "
    "OR instr(lower(CAST(data AS TEXT)), :text)) ORDER BY position DESC LIMIT :limit"
)


class SqliteJournal:
    """EventStore and Snapshots on a file; use as an async context manager. See `journal_outbox` for its outbox."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.committer = GroupCommitter(path)
        self._own = Reader(path)
        self._people = Reader(path)

    async def __aenter__(self) -> Self:
        migrate(self._path, "journal")
        self.committer.start()
        await self.committer.call(_identify)
        await self._own.open()
        await self._people.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._people.close()
        await self._own.close()
        self.committer.stop()

    async def rows(self, query: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What the controller itself reads; people's searches do not stand in its way."""
        return await self._own.rows(query, values)

    async def commit(self, commit: Commit, at_ms: int) -> tuple[RecordedEvent, ...]:
        return await self.committer.call(lambda connection: _commit(connection, commit, at_ms))

    async def state(self) -> LogState:
        rows = await self.rows("SELECT log_id, size, digest, peaks FROM log")
        if not rows:
            raise Corrupt(f"{self._path}: the log's own state is missing")
        return log_state(rows[0])

    async def read_stream(self, stream: str, after_version: int, limit: int) -> list[RecordedEvent]:
        query = f"SELECT {EVENT_COLUMNS} FROM event WHERE stream = ? AND version > ? ORDER BY version LIMIT ?"  # noqa: S608
        rows = await self.rows(query, (stream, after_version, limit))
        return [RecordedEvent(*row) for row in rows]

    async def read_from(self, after_position: int, limit: int) -> list[RecordedEvent]:
        query = f"SELECT {EVENT_COLUMNS} FROM event WHERE position > ? ORDER BY position LIMIT ?"  # noqa: S608
        rows = await self.rows(query, (after_position, limit))
        return [RecordedEvent(*row) for row in rows]

    async def search(self, text: str, before_position: int | None, limit: int) -> Found:
        if before_position is None:
            ((before_position,),) = await self._people.rows("SELECT size + 1 FROM log")
        floor = max(1, before_position - EVENTS_A_SEARCH)
        values = {"text": text.lower(), "before": before_position, "floor": floor, "limit": limit}
        events = [RecordedEvent(*row) for row in await self._people.rows(_SEARCH, values)]
        reached = events[-1].position if len(events) == limit else floor
        return Found(events, reached if reached > 1 else None)

    async def nodes(self, places: Sequence[NodeAt]) -> dict[NodeAt, bytes]:
        found: dict[NodeAt, bytes] = {}
        for start in range(0, len(places), _NODES_A_QUERY):
            wanted = places[start : start + _NODES_A_QUERY]
            pairs = ", ".join(["(?, ?)"] * len(wanted))
            query = (
                f"WITH wanted (level, idx) AS (VALUES {pairs}) "  # noqa: S608
                "SELECT level, idx, hash FROM wanted CROSS JOIN merkle_node USING (level, idx)"
            )
            rows = await self.rows(query, [number for place in wanted for number in place])
            found.update((NodeAt(level, number), node) for level, number, node in rows)
        return found

    async def add_head(self, head: SignedHead) -> None:
        row = (head.size, head.sealed, head.public_key)
        await self.committer.call(lambda connection: connection.execute("INSERT INTO tree_head VALUES (?, ?, ?)", row))

    async def heads(self, limit: int) -> list[SignedHead]:
        query = "SELECT size, sealed, public_key FROM tree_head ORDER BY size DESC LIMIT ?"
        return [SignedHead(*row) for row in await self.rows(query, (limit,))]

    async def load(self, projection: str) -> Snapshot | None:
        query = "SELECT position, data FROM snapshot WHERE projection = ?"
        rows = [Snapshot(*row) for row in await self.rows(query, (projection,))]
        return rows[0] if rows else None

    async def save(self, projection: str, snapshot: Snapshot) -> None:
        row = (projection, snapshot.position, snapshot.data)
        await self.committer.call(
            lambda connection: connection.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?)", row)
        )


def log_state(row: tuple[Any, ...]) -> LogState:
    """From the columns log_id, size, digest, peaks."""
    log_id, size, digest, peaks = row
    split = tuple(peaks[start : start + DIGEST_BYTES] for start in range(0, len(peaks), DIGEST_BYTES))
    return LogState(log_id, size, digest, split)


def _identify(connection: sqlite3.Connection) -> None:
    """Give a new file its identity and with it the first link of the chain."""
    if connection.execute("SELECT 1 FROM log").fetchone() is None:
        log_id = uuid.uuid4().bytes
        connection.execute("INSERT INTO log VALUES (1, ?, 0, ?, x'')", (log_id, genesis(log_id)))


def _commit(connection: sqlite3.Connection, commit: Commit, at_ms: int) -> tuple[RecordedEvent, ...]:
    recorded = _append(connection, commit.appends, at_ms) if commit.appends else ()
    connection.executemany(
        "INSERT INTO outbox (effect_key, kind, lane, payload) VALUES (?, ?, ?, ?) ON CONFLICT (effect_key) DO NOTHING",
        [(effect.key, effect.kind, effect.lane, effect.payload) for effect in commit.effects],
    )
    connection.executemany(
        "UPDATE outbox SET settled_at_ms = ?, payload = x'' WHERE entry_id = ?",
        [(at_ms, entry_id) for entry_id in commit.settles],
    )
    return recorded


def _append(connection: sqlite3.Connection, appends: Sequence[Append], at_ms: int) -> tuple[RecordedEvent, ...]:
    state = log_state(connection.execute("SELECT log_id, size, digest, peaks FROM log").fetchone())
    tree, digest = Tree(state.size, state.peaks), state.digest
    recorded: list[RecordedEvent] = []
    nodes: list[tuple[int, int, bytes]] = []
    versions: dict[str, int] = {}
    for append in appends:
        version = _checked_version(connection, append, versions)
        for event in append.events:
            version += 1
            linked = link(digest, (tree.size + 1, append.stream, version), at_ms, event)
            digest = linked.digest
            nodes += [(*place, node) for place, node in tree.append(digest)]
            recorded.append(linked)
        versions[append.stream] = version
    connection.executemany(
        "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(e.position, e.stream, e.version, e.at_ms, e.actor, e.name, e.data, e.previous, e.digest) for e in recorded],
    )
    connection.executemany("INSERT INTO merkle_node VALUES (?, ?, ?)", nodes)
    connection.execute("UPDATE log SET size = ?, digest = ?, peaks = ?", (tree.size, digest, b"".join(tree.peaks)))
    return tuple(recorded)


def _checked_version(connection: sqlite3.Connection, append: Append, versions: dict[str, int]) -> int:
    present = versions.get(append.stream)
    if present is None:
        query = "SELECT coalesce(max(version), 0) FROM event WHERE stream = ?"
        present = int(connection.execute(query, (append.stream,)).fetchone()[0])
    if append.expected_version is not None and append.expected_version != present:
        raise Conflict(f"{append.stream} is at version {present}, not {append.expected_version}; read it again")
    return present
