"""What was ordered and how far it got, written down before it is done, so that nothing is ever done twice.

A command's counter and all its orders are committed with fsync before the first byte goes to a device. What a crash
leaves without an end is not executed again: it is read back and reported as it is found.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.site.devices.reading import Evidence
from shared.group_commit import GroupCommitter
from shared.states import TERMINAL
from shared.wire.codec import decode, encode
from shared.wire.command import Command, Order, SitePlan
from shared.wire.version import WIRE_VERSION

KEEP_MS = 30 * 86_400_000
_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))


class Ledger:
    """Use as a context manager. Reads of counters come from memory; everything else from the file."""

    def __init__(self, path: Path) -> None:
        self._committer = GroupCommitter(path, migrations=Path(__file__).parent / "schemas")
        self._counters: dict[str, int] = {}

    def open(self) -> None:
        self._committer.start()
        self._counters = self._committer.run(_read_counters)

    def close(self) -> None:
        self._committer.stop()

    def last_counter(self, key_id: str) -> int:
        return self._counters.get(key_id, 0)

    async def accept(self, command: Command, key_id: str, now_ms: int) -> bool:
        """Write the counter and every order; False where this command or counter was accepted before."""
        return await self._once(key_id, command.counter, lambda db: _insert_command(db, command, key_id, now_ms))

    async def accept_local(self, command: Command, now_ms: int) -> None:
        """An order of our own; it has no key and no counter."""
        await self._committer.call(lambda db: _insert_command(db, command, "", now_ms))

    async def accept_plan(self, plan: SitePlan, key_id: str, now_ms: int) -> bool:
        """Replace the plan; False where its counter was used before."""
        return await self._once(key_id, plan.counter, lambda db: _insert_plan(db, plan, now_ms))

    async def finish(self, ended: Sequence[tuple[str, int, str]]) -> None:
        """Write the final states: (command_id, index, state)."""
        rows = [(state, command_id, index) for command_id, index, state in ended]
        await self._committer.call(
            lambda db: db.executemany("UPDATE orders SET state=? WHERE command_id=? AND position=?", rows)
        )

    async def keep_replaced(self, command_id: str, position: int, evidence: Sequence[Evidence]) -> None:
        """Keep what a device said before and while it was written to, for the person who wants it back."""
        rows = [(command_id, position, item.asked, item.raw) for item in evidence]
        await self._committer.call(
            lambda db: db.executemany(
                "INSERT INTO replaced (command_id, position, asked, raw) VALUES (?, ?, ?, ?)", rows
            )
        )

    def unfinished(self) -> list[tuple[Command, int]]:
        """Orders of an earlier life that have no final state: the command and the position in it."""
        return self._committer.run(_read_unfinished)

    def plan(self) -> SitePlan | None:
        """The last plan that was accepted."""
        return self._committer.run(_read_plan)

    def prune(self, now_ms: int) -> None:
        """Forget what ended long ago; counters are kept for ever."""
        oldest_ms = now_ms - KEEP_MS
        self._committer.run(lambda db: db.execute("DELETE FROM commands WHERE accepted_at_ms < ?", (oldest_ms,)))

    async def _once(self, key_id: str, counter: int, insert: Callable[[sqlite3.Connection], None]) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            last = db.execute("SELECT counter FROM counters WHERE key_id=?", (key_id,)).fetchone()
            if last is not None and counter <= last[0]:
                return False
            db.execute("INSERT OR REPLACE INTO counters (key_id, counter) VALUES (?, ?)", (key_id, counter))
            insert(db)
            return True

        accepted = await self._committer.call(work)
        if accepted:
            self._counters[key_id] = counter
        return accepted


def _insert_command(db: sqlite3.Connection, command: Command, key_id: str, now_ms: int) -> None:
    db.execute(
        "INSERT INTO commands (command_id, key_id, counter, accepted_at_ms, expires_at_ms, reason)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (command.command_id, key_id, command.counter, now_ms, command.expires_at_ms, command.reason),
    )
    db.executemany(
        "INSERT INTO orders (command_id, position, body, state) VALUES (?, ?, ?, '')",
        [(command.command_id, position, encode(order)) for position, order in enumerate(command.orders)],
    )


def _insert_plan(db: sqlite3.Connection, plan: SitePlan, now_ms: int) -> None:
    db.execute("INSERT OR REPLACE INTO plan (one, body, accepted_at_ms) VALUES (1, ?, ?)", (encode(plan), now_ms))


def _read_counters(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT key_id, counter FROM counters").fetchall())


def _read_unfinished(db: sqlite3.Connection) -> list[tuple[Command, int]]:
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


def _read_plan(db: sqlite3.Connection) -> SitePlan | None:
    row = db.execute("SELECT body FROM plan WHERE one=1").fetchone()
    return None if row is None else decode(row[0], SitePlan)
