"""The ledger's rows. Each function runs inside a transaction of the group committer."""

import sqlite3
from collections.abc import Iterator

import msgspec

from agent.signer.ledger.chain import sealed
from agent.signer.ledger.model import Entry, EntryKind

_SELECT = (
    "SELECT seq, kind, subject, request_id, request_digest, txid, debit_sat, spent_sat, height, mtp_s, boot_id,"
    " mono_ns, policy_version, body, previous, digest FROM entry"
)


def newest(connection: sqlite3.Connection) -> Entry | None:
    return _one(connection, f"{_SELECT} ORDER BY seq DESC LIMIT 1")


def at(connection: sqlite3.Connection, seq: int) -> Entry | None:
    return _one(connection, f"{_SELECT} WHERE seq = ?", seq)


def debit_of(connection: sqlite3.Connection, txid: str) -> Entry | None:
    return _one(connection, f"{_SELECT} WHERE kind = 'debit' AND txid = ?", txid)


def latest(connection: sqlite3.Connection, kind: EntryKind, subject: str) -> Entry | None:
    return _one(connection, f"{_SELECT} WHERE kind = ? AND subject = ? ORDER BY seq DESC LIMIT 1", kind, subject)


def first_of_request(connection: sqlite3.Connection, request_id: str) -> Entry | None:
    return _one(connection, f"{_SELECT} WHERE request_id = ? ORDER BY seq LIMIT 1", request_id)


def of_request(connection: sqlite3.Connection, request_id: str) -> list[Entry]:
    rows = connection.execute(f"{_SELECT} WHERE request_id = ? ORDER BY seq", (request_id,))
    return [Entry(*row) for row in rows]


def requests(connection: sqlite3.Connection) -> set[str]:
    """Every id that any row was written for."""
    return {row[0] for row in connection.execute("SELECT DISTINCT request_id FROM entry WHERE request_id IS NOT NULL")}


def of_kind(connection: sqlite3.Connection, kind: EntryKind, subject: str, after_seq: int = 0) -> Iterator[Entry]:
    rows = connection.execute(
        f"{_SELECT} WHERE kind = ? AND subject = ? AND seq > ? ORDER BY seq", (kind, subject, after_seq)
    )
    return (Entry(*row) for row in rows)


def subjects(connection: sqlite3.Connection, kind: EntryKind) -> list[str]:
    rows = connection.execute("SELECT DISTINCT subject FROM entry WHERE kind = ? ORDER BY subject", (kind,))
    return [row[0] for row in rows]


def after(connection: sqlite3.Connection, seq: int, limit: int) -> list[Entry]:
    rows = connection.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [Entry(*row) for row in rows]


def insert(connection: sqlite3.Connection, entry: Entry) -> Entry:
    """Append the row behind the newest one; it comes back with its digest."""
    whole = sealed(entry)
    connection.execute(
        "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(whole)
    )
    return whole


def _one(connection: sqlite3.Connection, query: str, *values: object) -> Entry | None:
    row = connection.execute(query, values).fetchone()
    return None if row is None else Entry(*row)
