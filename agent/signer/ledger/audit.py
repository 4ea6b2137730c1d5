"""Is every byte of the ledger as it was written? The chain, the running sums, and the tables derived from it."""

import sqlite3
from collections.abc import Iterator

from agent.signer.ledger import entry_table as table
from agent.signer.ledger import family, holding
from agent.signer.ledger.chain import expected_digest, genesis
from agent.signer.ledger.model import DebitBody, Entry, EntryKind, Head, OpenedBody
from shared.errors import Corrupt, WireError
from shared.wire.codec import decode

_PAGE = 1000


def verify(connection: sqlite3.Connection, box_id: str) -> Head:
    """The head of a whole ledger; Corrupt names the first row that is not as it was written."""
    problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != "ok":
        raise Corrupt(f"ledger: {problem}")
    audit = _Audit(box_id)
    for entry in _all(connection):
        audit.take(entry)
    if holding.stored(connection) != holding.expected(audit.debits):
        raise Corrupt("ledger: reservations or families do not follow from its debits")
    return Head(box_id, audit.seq, audit.digest)


class _Audit:
    def __init__(self, box_id: str) -> None:
        self.seq = 0
        self.digest = genesis(box_id)
        self.debits: list[tuple[int, str, DebitBody]] = []
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
        self.debits.append((entry.seq, entry.txid, family.body_of(entry.body)))


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
