"""The telemetry store in one SQLite file: one writer with group commit, one transaction for each group of messages."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

from controller.ingest.model import (
    REASON_UNDECODABLE,
    UNFIT,
    Group,
    GroupResult,
    HelloArrival,
    InboxItem,
    RecordArrival,
    Refused,
    Rejection,
)
from controller.storage.sqlite.reader import Reader
from controller.storage.sqlite.telemetry_lane import LaneBook
from controller.storage.sqlite.telemetry_sample import SampleWriter
from shared.clock import Clock, SystemClock
from shared.group_commit import GroupCommitter
from shared.states import Severity
from shared.wire.codec import pack
from shared.wire.event import Event, EventBatch
from shared.wire.record import Gap, GapBatch, RecordKind
from shared.wire.telemetry import TelemetryBatch

_SCHEMAS = Path(__file__).parent / "schema" / "telemetry"
_CACHE_KIB = 65_536
_PRAGMAS = (f"PRAGMA cache_size=-{_CACHE_KIB}", "PRAGMA wal_autocheckpoint=4000", "PRAGMA journal_size_limit=67108864")
_GARBAGE_BYTES = 4096  # of a frame that is not even a record, this much is kept for a person to look at
_GARBAGE_ROWS = 10_000
_OWN_EPOCH = "ingest"

# What the values of a record are to blame for, not the file.
_UNFIT_VALUES = (
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
_ADD_INBOX = "INSERT INTO inbox (kind, site, node, epoch, seq, body) VALUES (?, ?, ?, ?, ?, ?)"
_ADD_QUARANTINE = (
    "INSERT INTO quarantine (at_ms, topic, code, detail, epoch, seq, payload) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_TRIM_GARBAGE = (
    "DELETE FROM quarantine WHERE epoch IS NULL AND quarantine_no <= (SELECT max(quarantine_no) FROM quarantine) - ?"
)


class SqliteTelemetry:
    """Fills the port TelemetryStore. An async context manager; `committer` also serves roll-ups and retention,
    `people` what is asked of history.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self.committer = GroupCommitter(path, pragmas=_PRAGMAS, migrations=_SCHEMAS)
        self._lanes = LaneBook()
        self._samples = SampleWriter()
        self.people = Reader(path, cache_kib=_CACHE_KIB)
        self._inbox = Reader(path)

    async def __aenter__(self) -> Self:
        self.committer.start()
        await self._inbox.open()
        await self.people.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.people.close()
        await self._inbox.close()
        self.committer.stop()

    def store(self, group: Group, now_ms: int) -> GroupResult:
        """One transaction. Returns after the commit, or raises with nothing stored: StorageError where the file is to
        blame, ValueError where the values are.
        """
        if not any(group):
            return GroupResult()
        try:
            return self.committer.run(partial(self._store_or_refuse, group, now_ms))
        except BaseException:
            self._lanes.forget()
            self._samples.forget()
            raise

    async def inbox(
        self, limit: int, *, after: int = 0, kinds: Sequence[int] = tuple(RecordKind)
    ) -> Sequence[InboxItem]:
        query = (
            "SELECT number, kind, site, node, epoch, seq, body FROM inbox"  # noqa: S608 # marks only
            f" WHERE number > ? AND kind IN ({', '.join('?' * len(kinds))}) ORDER BY number LIMIT ?"
        )
        rows = await self._inbox.rows(query, (after, *kinds, limit))
        return [InboxItem(*row) for row in rows]

    async def inbox_done(self, numbers: Sequence[int]) -> None:
        await self.committer.call(
            lambda connection: connection.executemany("DELETE FROM inbox WHERE number = ?", ((n,) for n in numbers))
        )

    async def inbox_refused(self, item: InboxItem, refused: Refused) -> None:
        row = (f"{item.site}/{item.node}", refused.code, refused.detail, item.epoch, item.seq, item.body)
        now_ms = self._clock.now_ms()

        def move(connection: sqlite3.Connection) -> None:
            connection.execute(_ADD_QUARANTINE, (now_ms, *row))
            connection.execute("DELETE FROM inbox WHERE number = ?", (item.number,))

        await self.committer.call(move)

    def _store_or_refuse(self, group: Group, now_ms: int, connection: sqlite3.Connection) -> GroupResult:
        try:
            return self._store(group, now_ms, connection)
        except _UNFIT_VALUES as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def _store(self, group: Group, now_ms: int, connection: sqlite3.Connection) -> GroupResult:
        result = GroupResult()
        for rejection in group.rejections:
            self._quarantine(connection, rejection, now_ms)
        for record in group.records:
            self._store_record(connection, record, now_ms, result)
        for hello in group.hellos:
            if self._lanes.greet(connection, hello, now_ms):
                _alarm_of_two_spools(connection, hello, now_ms)
                result.inbox += 1
        self._samples.settle(connection)
        result.marks = self._lanes.settle(connection, now_ms)
        return result

    def _store_record(
        self, connection: sqlite3.Connection, record: RecordArrival, now_ms: int, result: GroupResult
    ) -> None:
        """Once, whatever comes; a record whose values the store cannot hold goes to quarantine whole."""
        key = (record.site, record.node, record.epoch)
        lane = self._lanes.lane(connection, key, now_ms)
        if record.seq in lane.coverage:
            result.duplicates += 1
            return
        connection.execute("SAVEPOINT record")
        try:
            if isinstance(record.message, TelemetryBatch):
                result.samples += self._samples.write(connection, record.site, lane.lane_no, record.seq, record.message)
            else:
                connection.execute(_ADD_INBOX, (record.kind, *key, record.seq, record.body))
                result.inbox += 1
        except _UNFIT_VALUES as error:
            connection.execute("ROLLBACK TO record")
            self._samples.forget_devices()
            rejection = Rejection(f"{record.site}/{record.node}", UNFIT, str(error), record.body, (*key, record.seq))
            result.rejected.append(rejection)
            self._quarantine(connection, rejection, now_ms)
        else:
            lane.coverage.add(record.seq, record.seq)
            self._lanes.announced(key, record.seq)
            result.fresh.append(record)
            if isinstance(record.message, GapBatch):
                for gap in record.message.gaps:
                    self._lanes.account_for_gap(connection, (record.site, record.node, gap.epoch), gap, now_ms)
        finally:
            connection.execute("RELEASE record")

    def _quarantine(self, connection: sqlite3.Connection, rejection: Rejection, now_ms: int) -> None:
        head = (now_ms, rejection.topic, rejection.code, rejection.detail)
        if rejection.record is None:
            connection.execute(_ADD_QUARANTINE, (*head, None, None, rejection.payload[:_GARBAGE_BYTES]))
            connection.execute(_TRIM_GARBAGE, (_GARBAGE_ROWS,))
            return
        site, node, epoch, seq = rejection.record
        lane = self._lanes.lane(connection, (site, node, epoch), now_ms)
        if seq in lane.coverage:
            return
        connection.execute(_ADD_QUARANTINE, (*head, epoch, seq, rejection.payload))
        gap = Gap(epoch, seq, seq, None, REASON_UNDECODABLE, None, None)
        self._lanes.account_for_gap(connection, (site, node, epoch), gap, now_ms)
        self._lanes.announced((site, node, epoch), seq)


def _alarm_of_two_spools(connection: sqlite3.Connection, arrival: HelloArrival, now_ms: int) -> None:
    """Our own finding takes the way of every event; its number in the inbox is its identity."""
    event = Event(
        now_ms,
        "spool.alternating-epochs",
        arrival.node,
        int(Severity.P2),
        "two machines send under the identity of this node: was a disk cloned?",
    )
    body = pack(EventBatch(events=(event,)))
    added = connection.execute(_ADD_INBOX, (int(RecordKind.EVENT), arrival.site, arrival.node, _OWN_EPOCH, 0, body))
    connection.execute("UPDATE inbox SET seq = number WHERE number = ?", (added.lastrowid,))
