"""Brings the rows of quarantined files back into the spool, behind its work."""

import sqlite3
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from agent.spool import record_table as table
from agent.spool.quarantine import DATABASE, Quarantine, witness_of
from agent.spool.salvage import SavedRow, Wreck, holes
from agent.spool.space import Space
from shared.clock import Clock
from shared.errors import BesError, StorageFull
from shared.group_commit import GroupCommitter
from shared.log import get_logger
from shared.wire.codec import unpack
from shared.wire.record import GapBatch, RecordKind

_WAIT_FOR_ROOM_S = 30.0

log = get_logger(__name__)


class Rescue:
    """A thread that ends when all is saved, and then clears the alarm. `progress` is called after each piece.

    A crash in between does no harm: rows keep their numbers, so saving them again changes nothing.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        committer: GroupCommitter,
        space: Space,
        clock: Clock,
        progress: Callable[[], object],
    ) -> None:
        self._quarantine = quarantine
        self._committer = committer
        self._space = space
        self._clock = clock
        self._progress = progress
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-rescue", daemon=True)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends at the next piece; the rest is saved after the next start."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            count = self._save_all()
            if count is not None:
                clear = partial(self._space.say, code="spool.damaged", text=f"{count} records came back", active=False)
                self._committer.run(clear)
        except (BesError, sqlite3.Error, OSError):
            log.exception("spool.rescue-failed")
        self._progress()

    def _save_all(self) -> int | None:
        """The number of rows that came back; None where the spool is closing."""
        count = 0
        for place in self._quarantine.unsaved():
            saved = self._save(place)
            if saved is None:
                return None
            self._quarantine.saved(place)
            log.info("spool.rescued", place=str(place), rows=saved)
            count += saved
        return count

    def _save(self, place: Path) -> int | None:
        wreck = Wreck(place / DATABASE, witness_of(place).read())
        try:
            return self._save_rows(wreck) if wreck.epoch is not None else 0
        finally:
            wreck.close()

    def _save_rows(self, wreck: Wreck) -> int | None:
        epoch, count, accounted = wreck.epoch, 0, set[int]()
        assert epoch is not None
        self._committer.run(partial(_adopt, epoch=epoch, released=wreck.released))
        for rows in wreck.rows():
            if not self._store(rows):
                return None
            count += len(rows)
            accounted.update(row.seq for row in rows)
            accounted.update(_declared_gone(epoch, rows))
            self._progress()
        gaps = list(holes(epoch, wreck.released + 1, wreck.highest, sorted(accounted)))
        self._committer.run(lambda connection: table.insert_gaps(connection, gaps, self._clock.now_ms()))
        return count

    def _store(self, rows: list[SavedRow]) -> bool:
        while not self._stopping.is_set():
            try:
                self._committer.run(partial(table.save, rows=rows))
            except StorageFull:
                self._stopping.wait(_WAIT_FOR_ROOM_S)
            else:
                return True
        return False


def _adopt(connection: sqlite3.Connection, epoch: str, released: int) -> None:
    connection.execute("INSERT INTO salvaged_epoch VALUES (?, ?) ON CONFLICT DO NOTHING", (epoch, released))


def _declared_gone(epoch: str, rows: Iterable[SavedRow]) -> Iterable[int]:
    """Numbers that the file's own gap records answer for."""
    for row in rows:
        if row.kind == RecordKind.GAP:
            for gap in unpack(row.body, GapBatch).gaps:
                if gap.epoch == epoch:
                    yield from range(gap.from_seq, gap.to_seq + 1)
