"""Is every byte of the ledger as it was written? Schema, chain, running sums, and the tables derived from them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from agent.signer.ledger import entry_table as table
from agent.signer.ledger import family, holding
from agent.signer.ledger.chain import expected_digest, genesis
from agent.signer.ledger.model import Entry, EntryKind, Head, OpenedBody
from shared.errors import Corrupt, WireError
from shared.migration import migrate, steps_in
from shared.wire.codec import decode

SCHEMAS = Path(__file__).parent / "schemas"
_PAGE = 1000


def verify(connection: sqlite3.Connection, box_id: str) -> Head:
    """The head of a whole ledger; Corrupt names the first row that is not as it was written."""
    if _schema(connection) != _released_schema():
        raise Corrupt("ledger: its tables, indices or triggers are not those of this release")
    problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != "ok":
        raise Corrupt(f"ledger: {problem}")
    audit = _Audit(box_id)
    for entry in _all(connection):
        audit.take(entry)
    if holding.stored(connection) != audit.holdings:
        raise Corrupt("ledger: reservations or families do not follow from its debits")
    return Head(box_id, audit.seq, audit.digest)


class _Audit:
    def __init__(self, box_id: str) -> None:
        self.seq = 0
        self.digest = genesis(box_id)
        self.holdings: holding.Holdings = ({}, {})
        self._box_id = box_id
        self._spent: dict[str | None, int] = {}

    def take(self, entry: Entry) -> None:
        self._link(entry)
        if entry.seq == 1:
            _require_owner(entry, self._box_id)
        if entry.kind == EntryKind.DEBIT:
            self._sum(entry)
        self.seq, self.digest = entry.seq, entry.digest

    def _link(self, entry: Entry) -> None:
        if entry.seq != self.seq + 1:
            raise Corrupt(f"ledger: row {self.seq + 1} is missing")
        if entry.previous != self.digest or entry.digest != expected_digest(entry):
            raise Corrupt(f"ledger: row {entry.seq} is not what was written")

    def _sum(self, entry: Entry) -> None:
        spent_sat = self._spent.get(entry.subject, 0) + entry.debit_sat
        if entry.spent_sat != spent_sat or entry.txid is None:
            raise Corrupt(f"ledger: row {entry.seq} says {entry.spent_sat} sat were spent; its debits say {spent_sat}")
        self._spent[entry.subject] = spent_sat
        holding.follow(self.holdings, entry.seq, entry.txid, family.body_of(entry.body))


def _schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    """What SQLite made by itself has no text."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
    return connection.execute(query).fetchall()


@cache
def _released_schema() -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as empty:
        migrate(empty, steps_in(SCHEMAS))
        return _schema(empty)


def _all(connection: sqlite3.Connection) -> Iterator[Entry]:
    seq = -1 << 62
    while page := table.after(connection, seq, _PAGE):
        yield from page
        seq = page[-1].seq


def _require_owner(first: Entry, box_id: str) -> None:
    try:
        opened = decode(first.body, OpenedBody)
    except WireError as error:
        raise Corrupt(f"ledger: its first row cannot be read: {error.detail}") from error
    if first.kind != EntryKind.OPENED or opened.box_id != box_id:
        raise Corrupt(f"this is the ledger of box {opened.box_id}, not of {box_id}")
