"""What happened at a site, as controller.db keeps it: notices, and alarms also after they were closed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from controller.fleet.alarm import Alarm
from controller.fleet.model import Notice
from controller.storage.sqlite.reader import Reader
from shared.errors import Corrupt

T = TypeVar("T", bound=msgspec.Struct)
_NOTICES = """
SELECT notice_id, body FROM notice WHERE site = ? AND at_ms >= ? AND (at_ms, notice_id) < (?, ?)
ORDER BY at_ms DESC, notice_id DESC LIMIT ?
"""
_ALARMS = """
SELECT body FROM alarm WHERE site = ? AND raised_at_ms >= ? AND (raised_at_ms, alarm_id) < (?, ?)
ORDER BY raised_at_ms DESC, alarm_id DESC LIMIT ?
"""


class SqliteEvents:
    """EventStore beside the writer; an async context manager, opened after `SqliteRelations`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = Reader(path)

    async def __aenter__(self) -> Self:
        await self._reader.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._reader.close()

    async def notices(
        self, site: str, from_ms: int, below: tuple[int, int], limit: int
    ) -> Sequence[tuple[int, Notice]]:
        rows = await self._reader.rows(_NOTICES, (site, from_ms, *below, limit))
        return [(number, self._decoded(body, Notice)) for number, body in rows]

    async def alarms(self, site: str, from_ms: int, below: tuple[int, str], limit: int) -> Sequence[Alarm]:
        rows = await self._reader.rows(_ALARMS, (site, from_ms, *below, limit))
        return [self._decoded(body, Alarm) for (body,) in rows]

    def _decoded(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.msgpack.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise Corrupt(f"{self._path}: {kind.__name__}: {error}") from error
