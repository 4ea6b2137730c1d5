"""The ledger's rows: what each transaction reads and writes."""

import sqlite3
from collections.abc import Collection, Mapping

from agent.site.commands.admission import Admission, Standing
from agent.site.commands.concern import concerns
from agent.site.safety.verdict import AlarmKey
from shared.states import TERMINAL, OutcomeState
from shared.wire.codec import decode, encode
from shared.wire.command import Command, Order, SitePlan
from shared.wire.version import WIRE_VERSION

_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_NEWEST_BEYOND = """
    WITH sized AS (
        SELECT accepted_at_ms, 1 + (SELECT count(*) FROM orders WHERE orders.command_id = commands.command_id) AS size
        FROM commands
    ), running AS (
        SELECT accepted_at_ms, sum(size) OVER (ORDER BY accepted_at_ms DESC) AS so_far FROM sized
    )
    SELECT max(accepted_at_ms) FROM running WHERE so_far > ?
"""


def standing(db: sqlite3.Connection, command: Command, key_id: str) -> Admission:
    found = db.execute(
        "SELECT command_id, key_id, counter, refused FROM commands WHERE command_id=? OR (key_id=? AND counter=?)",
        (command.command_id, key_id, command.counter),
    ).fetchall()
    if not found:
        return Admission(Standing.NEW)
    itself = (command.command_id, key_id, command.counter)
    refused = [row[3] for row in found if row[:3] == itself]
    return Admission(Standing.REPEATED, refused[0]) if refused else Admission(Standing.USED)


def overtaken(db: sqlite3.Connection, command: Command, key_id: str) -> frozenset[int]:
    newer = db.execute(
        "SELECT body FROM commands JOIN orders USING (command_id) WHERE key_id=? AND counter>? AND state!=?",
        (key_id, command.counter, OutcomeState.REFUSED),
    ).fetchall()
    decided = {concern for (body,) in newer for concern in concerns(decode(body, Order))}
    late = (place for place, order in enumerate(command.orders) if not decided.isdisjoint(concerns(order)))
    return frozenset(late)


def insert_command(db: sqlite3.Connection, command: Command, key_id: str, now_ms: int, refused: str = "") -> None:
    db.execute(
        "INSERT INTO commands (command_id, key_id, counter, accepted_at_ms, expires_at_ms, reason, refused)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (command.command_id, key_id, command.counter, now_ms, command.expires_at_ms, command.reason, refused),
    )


def insert_orders(db: sqlite3.Connection, command: Command) -> None:
    db.executemany(
        "INSERT INTO orders (command_id, position, body, state) VALUES (?, ?, ?, '')",
        [(command.command_id, position, encode(order)) for position, order in enumerate(command.orders)],
    )


def replace_plan(db: sqlite3.Connection, plan: SitePlan, key_id: str, now_ms: int) -> Standing:
    newest = db.execute("SELECT plan FROM counters WHERE key_id=?", (key_id,)).fetchone()
    if newest is not None and plan.counter <= newest[0]:
        return Standing.REPEATED if plan == read_plan(db) else Standing.USED
    db.execute(
        "INSERT INTO counters (key_id, floor, plan) VALUES (?, 0, ?)"
        " ON CONFLICT (key_id) DO UPDATE SET plan=excluded.plan",
        (key_id, plan.counter),
    )
    db.execute("INSERT OR REPLACE INTO plan (one, body, accepted_at_ms) VALUES (1, ?, ?)", (encode(plan), now_ms))
    return Standing.NEW


def forget(db: sqlite3.Connection, oldest_ms: int, most_orders: int) -> dict[str, int]:
    """Commands accepted before `oldest_ms`, and the oldest beyond `most_orders`; returns the floors that stand now."""
    oldest_ms = max(oldest_ms, _oldest_of_the_newest(db, most_orders))
    db.execute(
        "INSERT INTO counters (key_id, floor) SELECT key_id, max(counter) FROM commands"
        " WHERE accepted_at_ms < ? AND key_id != '' GROUP BY key_id"
        " ON CONFLICT (key_id) DO UPDATE SET floor=max(floor, excluded.floor)",
        (oldest_ms,),
    )
    db.execute("DELETE FROM commands WHERE accepted_at_ms < ?", (oldest_ms,))
    return read_floors(db)


def _oldest_of_the_newest(db: sqlite3.Connection, most_orders: int) -> int:
    """When the oldest command was accepted that, with all newer ones, has no more than `most_orders`. A refused one,
    which has none, counts as one.
    """
    beyond = db.execute(_NEWEST_BEYOND, (most_orders,)).fetchone()[0]
    return 0 if beyond is None else int(beyond) + 1


def read_floors(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT key_id, floor FROM counters").fetchall())


def read_unfinished(db: sqlite3.Connection) -> list[tuple[Command, int]]:
    query = "SELECT command_id, position FROM orders WHERE state NOT IN "
    left = db.execute(query + f"({_ENDED})").fetchall()
    commands = {command_id: _read_command(db, command_id) for command_id, _ in left}
    return [(commands[command_id], position) for command_id, position in left]


def _read_command(db: sqlite3.Connection, command_id: str) -> Command:
    """As it was accepted; who it was addressed to is no longer known, and no longer matters."""
    counter, expires_at_ms, reason = db.execute(
        "SELECT counter, expires_at_ms, reason FROM commands WHERE command_id=?", (command_id,)
    ).fetchone()
    orders = db.execute("SELECT body FROM orders WHERE command_id=? ORDER BY position", (command_id,)).fetchall()
    return Command(
        version=WIRE_VERSION,
        command_id=command_id,
        site="",
        node="",
        counter=counter,
        issued_at_ms=0,
        expires_at_ms=expires_at_ms,
        reason=reason,
        orders=tuple(decode(body, Order) for (body,) in orders),
    )


def read_plan(db: sqlite3.Connection) -> SitePlan | None:
    row = db.execute("SELECT body FROM plan WHERE one=1").fetchone()
    return None if row is None else decode(row[0], SitePlan)


def read_vouched(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT vouched_ms FROM signed_time WHERE one=1").fetchone()
    return 0 if row is None else int(row[0])


def keep_vouched(db: sqlite3.Connection, vouched_ms: int) -> None:
    db.execute(
        "INSERT INTO signed_time (one, vouched_ms) VALUES (1, ?)"
        " ON CONFLICT (one) DO UPDATE SET vouched_ms=max(vouched_ms, excluded.vouched_ms)",
        (vouched_ms,),
    )


def read_standing(db: sqlite3.Connection) -> dict[AlarmKey, str]:
    return {(code, subject): text for code, subject, text in db.execute("SELECT code, subject, text FROM standing")}


def keep_standing(db: sqlite3.Connection, raised: Mapping[AlarmKey, str], ended: Collection[AlarmKey]) -> None:
    db.executemany("INSERT OR REPLACE INTO standing VALUES (?, ?, ?)", [(*key, text) for key, text in raised.items()])
    db.executemany("DELETE FROM standing WHERE code=? AND subject=?", list(ended))
