"""What was ordered and how far it got, written down before it is done, so that nothing is ever done twice.

A command's counter and all its orders are committed with fsync before the first byte goes to a device. What a crash
leaves without an end is not executed again: it is read back and reported as it is found. A command that comes again
is known by its id and counter, however often it comes and whatever came in between.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from agent.site.commands import ledger_table as table
from agent.site.commands.admission import Admission, Standing
from agent.site.devices.reading import Evidence
from agent.site.safety.verdict import AlarmKey
from shared.errors import StorageError
from shared.group_commit import GroupCommitter
from shared.wire.command import Command, SitePlan

KEEP_MS = 30 * 86_400_000
KEEP_ORDERS = 500_000


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
            self._floors = self._committer.run(table.read_floors)
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
        return await self._committer.call(lambda db: table.standing(db, command, key_id))

    async def accept(self, command: Command, key_id: str, now_ms: int) -> Admission:
        """Write the counter and every order, where it is new."""

        def work(db: sqlite3.Connection) -> Admission:
            admission = table.standing(db, command, key_id)
            if admission.standing is not Standing.NEW:
                return admission
            table.insert_command(db, command, key_id, now_ms)
            table.insert_orders(db, command)
            return Admission(Standing.NEW, overtaken=table.overtaken(db, command, key_id))

        return await self._committer.call(work)

    async def refuse(self, command: Command, key_id: str, rule: str, now_ms: int) -> None:
        """Write that a new command was refused as a whole: a refusal is final, also when the command comes again."""

        def work(db: sqlite3.Connection) -> None:
            if table.standing(db, command, key_id).standing is Standing.NEW:
                table.insert_command(db, command, key_id, now_ms, rule)

        await self._committer.call(work)

    async def accept_local(self, command: Command, now_ms: int) -> None:
        """An order of our own; it has no key and no counter."""

        def work(db: sqlite3.Connection) -> None:
            table.insert_command(db, command, "", now_ms)
            table.insert_orders(db, command)

        await self._committer.call(work)

    async def accept_plan(self, plan: SitePlan, key_id: str, now_ms: int) -> Standing:
        """Replace the plan, where this one is newer than every one of that key before."""
        return await self._committer.call(lambda db: table.replace_plan(db, plan, key_id, now_ms))

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
        return self._committer.run(table.read_unfinished)

    def plan(self) -> SitePlan | None:
        """The last plan that was accepted."""
        return self._committer.run(table.read_plan)

    def vouched_ms(self) -> int:
        """The signed time that was kept last; 0 before the first (`agent.site.commands.trusted_time`)."""
        return self._committer.run(table.read_vouched)

    async def keep_vouched(self, vouched_ms: int) -> None:
        await self._committer.call(lambda db: table.keep_vouched(db, vouched_ms))

    def standing_alarms(self) -> dict[AlarmKey, str]:
        """Text by code and subject of the alarms that stood when the agent went down."""
        return self._committer.run(table.read_standing)

    async def keep_standing(self, raised: Mapping[AlarmKey, str], ended: Collection[AlarmKey]) -> None:
        await self._committer.call(lambda db: table.keep_standing(db, raised, ended))

    def energy_chains(self) -> list[bytes]:
        """What `keep_energy_chain` was given last for each meter (`agent.site.metering`)."""
        return self._committer.run(lambda db: [body for (body,) in db.execute("SELECT body FROM energy_chain")])

    async def keep_energy_chain(self, meter: str, body: bytes) -> None:
        values = (meter, body)
        await self._committer.call(lambda db: db.execute("INSERT OR REPLACE INTO energy_chain VALUES (?, ?)", values))

    async def prune(self, now_ms: int) -> None:
        """Forget what was accepted long ago, and the oldest of what is more than `KEEP_ORDERS`; the floors remember."""
        self._floors = await self._committer.call(lambda db: table.forget(db, now_ms - KEEP_MS, KEEP_ORDERS))
