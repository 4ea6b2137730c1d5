"""The tables that follow from debits: which outpoints are held, and the newest version of each family."""

import sqlite3

from agent.signer.ledger.model import DebitBody, Spend
from shared.errors import Denied

Holdings = tuple[dict[str, tuple[str, int]], dict[str, int]]
"""Outpoint to (txid, until height), and family to row number."""


def require_free(connection: sqlite3.Connection, spend: Spend, height: int) -> None:
    """Denied `input.reserved` where an outpoint belongs to a transaction that this one does not replace."""
    for outpoint in spend.outpoints:
        row = connection.execute(
            "SELECT txid FROM reservation WHERE outpoint = ? AND until_height > ?", (outpoint, height)
        ).fetchone()
        if row is not None and row[0] not in spend.replaces:
            raise Denied("input.reserved", f"{outpoint} is reserved for transaction {row[0]}")


def hold(connection: sqlite3.Connection, seq: int, txid: str, body: DebitBody) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO reservation (outpoint, txid, until_height) VALUES (?, ?, ?)",
        ((outpoint, txid, body.reserved_until_height) for outpoint in body.outpoints),
    )
    connection.execute("INSERT OR REPLACE INTO family (txid, seq) VALUES (?, ?)", (body.family_txid, seq))


def follow(holdings: Holdings, seq: int, txid: str, body: DebitBody) -> None:
    """What `hold` does to the tables, done to a copy of them in memory."""
    reservations, families = holdings
    reservations.update((outpoint, (txid, body.reserved_until_height)) for outpoint in body.outpoints)
    families[body.family_txid] = seq


def stored(connection: sqlite3.Connection) -> Holdings:
    rows = connection.execute("SELECT outpoint, txid, until_height FROM reservation")
    reservations = {outpoint: (txid, until_height) for outpoint, txid, until_height in rows}
    return reservations, dict(connection.execute("SELECT txid, seq FROM family").fetchall())
