"""What the relations forget after a time, a small transaction at a time."""

import msgspec

from controller.fleet.alarm import Alarm, AlarmPhase
from controller.storage.sqlite.relations import SqliteRelations

_BATCH = 2_000


class RelationsUpkeep:
    """Each method deletes what is older than a time and answers with the number of rows."""

    def __init__(self, store: SqliteRelations) -> None:
        self._store = store

    async def forget_handled(self, before_ms: int) -> int:
        """Marks of handled records; a record comes twice only within moments, around a crash."""
        return await self._delete(
            "DELETE FROM handled WHERE (site, node, epoch, seq) IN"
            " (SELECT site, node, epoch, seq FROM handled WHERE at_ms < ? LIMIT ?)",
            before_ms,
        )

    async def forget_notices(self, before_ms: int) -> int:
        return await self._delete(
            "DELETE FROM notice WHERE notice_id IN (SELECT notice_id FROM notice WHERE at_ms < ? LIMIT ?)", before_ms
        )

    async def forget_closed_alarms(self, before_ms: int) -> int:
        """Alarms that were over and seen before then, however long ago they were raised."""
        query = "SELECT alarm_id, raised_at_ms, body FROM alarm WHERE phase = ? AND raised_at_ms < ?"
        async with self._store.transaction() as connection:
            rows = await connection.execute_fetchall(query, (AlarmPhase.CLOSED, before_ms))
            old = [
                (alarm_id, raised_at_ms)
                for alarm_id, raised_at_ms, body in rows
                if _closed_at_ms(msgspec.msgpack.decode(body, type=Alarm)) < before_ms
            ]
            await connection.executemany("DELETE FROM alarm WHERE alarm_id = ? AND raised_at_ms = ?", old)
        return len(old)

    async def _delete(self, statement: str, before_ms: int) -> int:
        deleted = 0
        while True:
            async with self._store.transaction() as connection:
                count = (await connection.execute(statement, (before_ms, _BATCH))).rowcount
            deleted += count
            if count < _BATCH:
                return deleted


def _closed_at_ms(alarm: Alarm) -> int:
    """The later of its end and the moment when somebody saw it."""
    return max(alarm.cleared_at_ms or 0, alarm.acknowledged_at_ms or 0)
