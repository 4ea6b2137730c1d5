"""The outbox table of the journal's file."""

from controller.journal.model import OutboxEntry
from controller.storage.sqlite.journal import SqliteJournal

_TAKE = """
SELECT entry_id, effect_key, kind, lane, payload, attempts FROM outbox
WHERE settled_at_ms IS NULL AND kind = :kind AND lane NOT IN (
    SELECT lane FROM outbox WHERE settled_at_ms IS NULL AND kind = :kind AND due_ms > :now_ms
)
ORDER BY entry_id LIMIT :limit
"""


_FORGET = """
DELETE FROM outbox WHERE entry_id IN (
    SELECT entry_id FROM outbox WHERE settled_at_ms < ? ORDER BY entry_id LIMIT ?
)
"""
_BATCH = 2_000


class SqliteOutbox:
    """Outbox beside its events; entries come in and are settled by `SqliteJournal.commit`."""

    def __init__(self, journal: SqliteJournal) -> None:
        self._journal = journal

    async def take(self, kind: str, now_ms: int, limit: int) -> list[OutboxEntry]:
        values = {"kind": kind, "now_ms": now_ms, "limit": limit}
        return [OutboxEntry(*row) for row in await self._journal.rows(_TAKE, values)]

    async def next_due_ms(self, kind: str) -> int | None:
        query = "SELECT min(due_ms) FROM outbox WHERE settled_at_ms IS NULL AND kind = ?"
        rows = [row[0] for row in await self._journal.rows(query, (kind,))]
        due_ms: int | None = rows[0]
        return due_ms

    async def waiting(self) -> int:
        """Effects of all kinds that are not settled."""
        ((count,),) = await self._journal.rows("SELECT count(*) FROM outbox WHERE settled_at_ms IS NULL")
        return int(count)

    async def retry(self, entry_id: int, at_ms: int, error: str) -> None:
        query = "UPDATE outbox SET attempts = attempts + 1, due_ms = ?, last_error = ? WHERE entry_id = ?"
        await self._journal.committer.call(lambda connection: connection.execute(query, (at_ms, error, entry_id)))

    async def forget_settled(self, before_ms: int) -> int:
        """Delete entries that were settled before then, keys included, which may be used again; how many."""
        deleted = 0
        while True:
            count = await self._journal.committer.call(
                lambda connection: connection.execute(_FORGET, (before_ms, _BATCH)).rowcount
            )
            deleted += count
            if count < _BATCH:
                return deleted
