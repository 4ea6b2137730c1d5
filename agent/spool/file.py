"""The spool's database file: opened, tested and claimed for an epoch, or set aside."""

import sqlite3
import uuid
from functools import partial
from pathlib import Path

from agent.spool import record_table as table
from agent.spool.ballast import Ballast
from agent.spool.integrity import check_files, check_log, check_pages
from agent.spool.model import SpoolLimits
from agent.spool.quarantine import DATABASE, WITNESS, Quarantine
from agent.spool.salvage import SCHEMAS
from agent.spool.witness import Testimony, Witness
from shared.clock import Clock
from shared.errors import Corrupt, StorageError, StorageUnavailable
from shared.group_commit import GroupCommitter
from shared.log import get_logger

log = get_logger(__name__)


class SpoolFile:
    """`committer` is the open file's writer; a new one after each `open`."""

    def __init__(self, folder: Path, machine_id: str, limits: SpoolLimits, clock: Clock) -> None:
        self._folder = folder
        self._machine_id = machine_id
        self._limits = limits
        self._clock = clock
        self.witness = Witness(folder / WITNESS)
        self.ballast = Ballast(folder / "spool.ballast", limits.ballast_bytes)
        self.quarantine = Quarantine(folder / "quarantine")
        self.committer = self._new_committer()
        self.epoch = ""

    def open(self) -> str | None:
        """Ready for work when it returns; the reason why an older file was set aside, or None."""
        reason = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._start()
            except Corrupt as error:
                reason = error.detail
                self.committer.stop()
                place = self.quarantine.take(self._folder)
                log.warning("spool.damaged", reason=reason, quarantine=str(place))
                self._start()
            self.ballast.restore()
        except (StorageError, OSError):
            self.committer.stop()  # the next try begins from nothing
            raise
        return reason

    def close(self) -> None:
        highest = self.committer.run(table.highest_seq)
        self.committer.stop()
        self.witness.settle(highest)

    def set_aside(self) -> None:
        """Stop using a file that broke while in use."""
        self.committer.stop()
        self.quarantine.take(self._folder)

    def _new_committer(self) -> GroupCommitter:
        pragmas = (
            f"PRAGMA max_page_count={self._limits.max_pages}",  # not stored in the file: a reopened one forgets it
            "PRAGMA wal_autocheckpoint=50",  # a small log, so that a full disk can still be drained
            "PRAGMA journal_size_limit=200000",
        )
        return GroupCommitter(self._folder / DATABASE, pragmas=pragmas, migrations=SCHEMAS)

    def _start(self) -> None:
        """Corrupt where the present file must be set aside."""
        database = self._folder / DATABASE
        if self.witness.read() is not None and not (database.exists() and database.stat().st_size):
            raise Corrupt(f"{database}: is missing or empty")
        last_commit_frame = check_files(database)
        self.committer = self._new_committer()
        try:
            self.committer.start()
        except StorageUnavailable:
            if not self.ballast.drop():
                raise
            self.committer.start()
        self.committer.maintain(partial(self._inspect, last_commit_frame))
        self.epoch = self.committer.run(self._claim)

    def _inspect(self, last_commit_frame: int, connection: sqlite3.Connection) -> None:
        check_log(connection, last_commit_frame)
        check_pages(connection, self._limits.check_s)
        row = connection.execute("SELECT machine_id FROM spool").fetchone()
        if row is not None and row[0] != self._machine_id:
            raise Corrupt("the file was made on another machine")

    def _claim(self, connection: sqlite3.Connection) -> str:
        """The file's epoch; a new file gets one."""
        row = connection.execute("SELECT epoch FROM spool").fetchone()
        epoch: str = row[0] if row is not None else uuid.uuid4().hex
        if row is None:
            connection.execute(
                "INSERT INTO spool (only_row, epoch, machine_id, created_at_ms) VALUES (1, ?, ?, ?)",
                (epoch, self._machine_id, self._clock.now_ms()),
            )
        self.witness.write(Testimony(epoch, self._machine_id, table.highest_seq(connection)))
        return epoch
