"""Rows of a spool file that was set aside come back under their old numbers; what cannot be read becomes a gap."""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from agent.spool.model import PAGE_BYTES
from agent.spool.witness import Testimony
from shared.migration import migrate, steps_in
from shared.private_file import make_private
from shared.wire.record import Gap, checksum

T = TypeVar("T", str, int)

SCHEMAS = Path(__file__).parent / "schemas"
_MAGIC = b"SQLite format 3\x00"
_CHUNK = 64
_SIZE_IN_HEADER = slice(28, 32)  # database size in pages, https://www.sqlite.org/fileformat2.html section 1.3


class SavedRow(NamedTuple):
    epoch: str
    seq: int
    kind: int
    crc: int
    samples: int
    accepted_at_ms: int
    body: bytes


_TYPES = (str, int, int, int, int, int, bytes)  # a damaged page may hold anything


class Wreck:
    """A database file that may be damaged anywhere. Reads what it can; never raises over its content."""

    def __init__(self, database: Path, testimony: Testimony | None) -> None:
        self._connection = _open(database)
        self.epoch: str | None = self._value(str, "SELECT epoch FROM spool")
        if self.epoch is None and testimony is not None:
            self.epoch = testimony.epoch
        self.released = self._value(int, "SELECT released FROM spool") or 0
        self.highest = max(
            self._value(int, "SELECT seq FROM sqlite_sequence WHERE name = 'record'") or 0,
            self._value(int, "SELECT max(seq) FROM record") or 0,
            testimony.ceiling if testimony is not None and testimony.epoch == self.epoch else 0,
        )

    def close(self) -> None:
        self._connection.close()

    def rows(self) -> Iterator[list[SavedRow]]:
        """Readable rows whose checksum fits, in the order of their numbers."""
        seq = self.released
        while seq < self.highest:
            rows = self._all("WHERE seq > ? ORDER BY seq LIMIT ?", seq, _CHUNK)
            if rows is None:  # a page on the way is unreadable: ask for each row by itself
                wanted = range(seq + 1, seq + 1 + _CHUNK)
                rows = [row for number in wanted for row in self._all("WHERE seq = ?", number) or ()]
                seq += _CHUNK
            elif rows:
                seq = rows[-1].seq
            else:
                seq = self.highest
            yield [row for row in rows if checksum(row.seq, row.body) == row.crc]

    def _all(self, where: str, *arguments: int) -> list[SavedRow] | None:
        query = f"SELECT ?, seq, kind, crc, samples, accepted_at_ms, body FROM record {where}"  # noqa: S608 # our text
        try:
            rows = self._connection.execute(query, (self.epoch, *arguments)).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return None
        return [SavedRow(*row) for row in rows if tuple(map(type, row)) == _TYPES]

    def _value(self, kind: type[T], query: str) -> T | None:
        """The first column of the first row, where it can be read and is what it should be."""
        try:
            row = self._connection.execute(query).fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return None
        return row[0] if row is not None and isinstance(row[0], kind) else None


def holes(epoch: str, first: int, last: int, present: Iterable[int]) -> Iterator[Gap]:
    """The stretches of `first` to `last` that `present` (ascending) leaves out."""
    expected = first
    for seq in present:
        if seq > expected:
            yield Gap(epoch, expected, seq - 1, None, "corruption", None, None)
        expected = seq + 1
    if expected <= last:
        yield Gap(epoch, expected, last, None, "corruption", None, None)


def _open(database: Path) -> sqlite3.Connection:
    if _first_bytes(database) != _MAGIC:
        _graft_first_page(database)
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM record LIMIT 1")
    except sqlite3.DatabaseError:
        connection.close()
        _graft_first_page(database)
        connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    return connection


def _first_bytes(database: Path) -> bytes:
    if not database.exists():
        make_private(database)
    with database.open("rb") as file:
        return file.read(len(_MAGIC))


def _graft_first_page(database: Path) -> None:
    """Put the first page of a new file in place of a broken one; an empty file becomes a new one below its log.

    The same schema files give every table the same root page, so the rows behind it can be found again.
    """
    with tempfile.TemporaryDirectory(dir=database.parent) as folder:
        fresh = Path(folder) / "fresh.db"
        connection = sqlite3.connect(fresh, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        migrate(connection, steps_in(SCHEMAS))
        connection.close()
        content = bytearray(fresh.read_bytes())
    if pages := database.stat().st_size // PAGE_BYTES:
        content = content[:PAGE_BYTES]
        content[_SIZE_IN_HEADER] = pages.to_bytes(4, "big")
    with database.open("r+b") as file:
        file.write(content)
