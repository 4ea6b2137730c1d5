"""What was ordered and how far it got, written down before it is done, so that nothing is ever done twice.

A command's counter and all its orders are committed with fsync before the first byte goes to a device. What a crash
leaves without an end is not executed again: it is read back and reported as it is found. A command that comes again
is known by its id and counter, however often it comes and whatever came in between.
"""

import sqlite3
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import msgspec

from agent.site.commands.concern import concerns
from agent.site.devices.reading import Evidence
from shared.errors import StorageError
from shared.group_commit import GroupCommitter
from shared.states import TERMINAL, OutcomeState
from shared.wire.codec import decode, encode
from shared.wire.command import Command, Order, SitePlan
from shared.wire.version import WIRE_VERSION

KEEP_MS = 30 * 86_400_000
_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))


class Standing(Enum):
    """What the ledger knows of a document that somebody signed."""

    NEW = "new"
    REPEATED = "repeated"  # this very one was taken before
    USED = "used"  # another one has its counter, or a newer plan holds


class Admission(msgspec.Struct, frozen=True):
    """`refused` is the rule by which a repeated command was refused then. `overtaken` are the positions of orders about
    something that a command with a higher counter has ordered already.
    """

    standing: Standing
    refused: str = ""
    overtaken: frozenset[int] = frozenset()


class Ledger:
    """`serves` between `open` and `close`. Floors and lessons are read from memory; everything else from the file."""

    def __init__(self, path: Path) -> None:
        self._committer = GroupCommitter(path, migrations=Path(__file__).parent / "schemas")
        self._floors: dict[str, int] = {}
        self._lessons: dict[str, str] = {}
        self.serves = False

    def open(self) -> None:
        """`StorageError` where the disk does not let us write; then it may be tried again."""
        self._committer.start()
        try:
            self._floors = self._committer.run(_read_floors)
            self._lessons = self._committer.run(lambda db: dict(db.execute("SELECT subject, lesson FROM lesson")))
        except StorageError:
            self._committer.stop()
            raise
        self.serves = True

    def close(self) -> None:
        self._committer.stop()

    def floor(self, key_id: str) -> int:
        """No counter of that key up to this one is accepted any more; 0 where none was forgotten."""
        return self._floors.get(key_id, 0)

    async def standing(self, command: Command, key_id: str) -> Admission:
        """What is known of a command; writes nothing."""
        return await self._committer.call(lambda db: _standing(db, command, key_id))

    async def accept(self, command: Command, key_id: str, now_ms: int) -> Admission:
        """Write the counter and every order, where it is new."""

        def work(db: sqlite3.Connection) -> Admission:
            admission = _standing(db, command, key_id)
            if admission.standing is not Standing.NEW:
                return admission
            _insert_command(db, command, key_id, now_ms)
            _insert_orders(db, command)
            return Admission(Standing.NEW, overtaken=_overtaken(db, command, key_id))

        return await self._committer.call(work)

    async def refuse(self, command: Command, key_id: str, rule: str, now_ms: int) -> None:
        """Write that a new command was refused as a whole: a refusal is final, also when the command comes again."""

        def work(db: sqlite3.Connection) -> None:
            if _standing(db, command, key_id).standing is Standing.NEW:
                _insert_command(db, command, key_id, now_ms, rule)

        await self._committer.call(work)

    async def accept_local(self, command: Command, now_ms: int) -> None:
        """An order of our own; it has no key and no counter."""

        def work(db: sqlite3.Connection) -> None:
            _insert_command(db, command, "", now_ms)
            _insert_orders(db, command)

        await self._committer.call(work)

    async def accept_plan(self, plan: SitePlan, key_id: str, now_ms: int) -> Standing:
        """Replace the plan, where this one is newer than every one of that key before."""
        return await self._committer.call(lambda db: _replace_plan(db, plan, key_id, now_ms))

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

    def taught(self, subject: str) -> str | None:
        """What a write has taught of a firmware build (`agent.site.drivers.miners.Lessons`)."""
        return self._lessons.get(subject)

    async def learn(self, subject: str, lesson: str) -> None:
        values = (subject, lesson)
        await self._committer.call(lambda db: db.execute("INSERT OR REPLACE INTO lesson VALUES (?, ?)", values))
        self._lessons[subject] = lesson

    def unfinished(self) -> list[tuple[Command, int]]:
        """Orders of an earlier life that have no final state: the command and the position in it."""
        return self._committer.run(_read_unfinished)

    def plan(self) -> SitePlan | None:
        """The last plan that was accepted."""
        return self._committer.run(_read_plan)

    def prune(self, now_ms: int) -> None:
        """Forget what was accepted long ago; the floors remember that it was."""
        oldest_ms = now_ms - KEEP_MS
        self._committer.run(lambda db: _forget(db, oldest_ms))
        self._floors = self._committer.run(_read_floors)


def _standing(db: sqlite3.Connection, command: Command, key_id: str) -> Admission:
    found = db.execute(
        "SELECT command_id, key_id, counter, refused FROM commands WHERE command_id=? OR (key_id=? AND counter=?)",
        (command.command_id, key_id, command.counter),
    ).fetchall()
    if not found:
        return Admission(Standing.NEW)
    itself = (command.command_id, key_id, command.counter)
    refused = [row[3] for row in found if row[:3] == itself]
    return Admission(Standing.REPEATED, refused[0]) if refused else Admission(Standing.USED)


def _overtaken(db: sqlite3.Connection, command: Command, key_id: str) -> frozenset[int]:
    newer = db.execute(
        "SELECT body FROM commands JOIN orders USING (command_id) WHERE key_id=? AND counter>? AND state!=?",
        (key_id, command.counter, OutcomeState.REFUSED),
    ).fetchall()
    decided = {concern for (body,) in newer for concern in concerns(decode(body, Order))}
    late = (place for place, order in enumerate(command.orders) if not decided.isdisjoint(concerns(order)))
    return frozenset(late)


def _insert_command(db: sqlite3.Connection, command: Command, key_id: str, now_ms: int, refused: str = "") -> None:
    db.execute(
        "INSERT INTO commands (command_id, key_id, counter, accepted_at_ms, expires_at_ms, reason, refused)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (command.command_id, key_id, command.counter, now_ms, command.expires_at_ms, command.reason, refused),
    )


def _insert_orders(db: sqlite3.Connection, command: Command) -> None:
    db.executemany(
        "INSERT INTO orders (command_id, position, body, state) VALUES (?, ?, ?, '')",
        [(command.command_id, position, encode(order)) for position, order in enumerate(command.orders)],
    )


def _replace_plan(db: sqlite3.Connection, plan: SitePlan, key_id: str, now_ms: int) -> Standing:
    newest = db.execute("SELECT plan FROM counters WHERE key_id=?", (key_id,)).fetchone()
    if newest is not None and plan.counter <= newest[0]:
        return Standing.REPEATED if plan == _read_plan(db) else Standing.USED
    db.execute(
        "INSERT INTO counters (key_id, floor, plan) VALUES (?, 0, ?)"
        " ON CONFLICT (key_id) DO UPDATE SET plan=excluded.plan",
        (key_id, plan.counter),
    )
    db.execute("INSERT OR REPLACE INTO plan (one, body, accepted_at_ms) VALUES (1, ?, ?)", (encode(plan), now_ms))
    return Standing.NEW


def _forget(db: sqlite3.Connection, oldest_ms: int) -> None:
    db.execute(
        "INSERT INTO counters (key_id, floor) SELECT key_id, max(counter) FROM commands"
        " WHERE accepted_at_ms < ? AND key_id != '' GROUP BY key_id"
        " ON CONFLICT (key_id) DO UPDATE SET floor=max(floor, excluded.floor)",
        (oldest_ms,),
    )
    db.execute("DELETE FROM commands WHERE accepted_at_ms < ?", (oldest_ms,))


def _read_floors(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT key_id, floor FROM counters").fetchall())


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
