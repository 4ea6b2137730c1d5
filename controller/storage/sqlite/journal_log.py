"""A journal file at rest, opened for reading only, as the audit wants it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from controller.journal.head import SignedHead
from controller.journal.model import LogState, RecordedEvent
from controller.storage.sqlite.journal import EVENT_COLUMNS, log_state
from shared.errors import Corrupt, StorageUnavailable

T = TypeVar("T")


class SqliteLogFile:
    """LogFile over one consistent state of the file, also while a controller writes to it."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise StorageUnavailable(f"{path}: no such file")
        with _translated(path):
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            self._connection.execute("BEGIN")
        self._path = path

    def close(self) -> None:
        self._connection.close()

    def problems(self) -> list[str]:
        found = self._rows("PRAGMA integrity_check(5)", tuple[str, ...])
        return [row[0] for row in found if row[0] != "ok"]

    def state(self) -> LogState:
        rows = list(self._rows("SELECT log_id, size, digest, peaks FROM log", tuple[bytes, int, bytes, bytes]))
        if len(rows) != 1:
            raise Corrupt(f"{self._path}: the log's own state is missing")
        return log_state(rows[0])

    def events(self) -> Iterator[RecordedEvent]:
        query = f"SELECT {EVENT_COLUMNS} FROM event ORDER BY position"  # noqa: S608
        rows = self._rows(query, tuple[int, str, int, int, str, str, bytes, bytes, bytes])
        return (RecordedEvent(*row) for row in rows)

    def heads(self) -> Iterator[SignedHead]:
        query = "SELECT size, sealed, public_key FROM tree_head ORDER BY size"
        return (SignedHead(*row) for row in self._rows(query, tuple[int, bytes, bytes]))

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        query = f"SELECT idx, hash FROM merkle_node WHERE level = {level:d} ORDER BY idx"  # noqa: S608
        return self._rows(query, tuple[int, bytes])

    def _rows(self, query: str, kind: type[T]) -> Iterator[T]:
        """Rows with the types that the schema promises; what does not fit is Corrupt."""
        with _translated(self._path):
            cursor: sqlite3.Cursor = self._connection.execute(query)
            for row in cursor:
                yield msgspec.convert(row, kind)


@contextmanager
def _translated(path: Path) -> Iterator[Any]:
    try:
        yield
    except (sqlite3.Error, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Corrupt(f"{path}: {error}") from error
