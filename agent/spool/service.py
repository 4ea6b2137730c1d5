"""`Spool`: accepted means on the disk; gone means receipted, or a gap record says why."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.spool import record_table as table
from agent.spool.file import SpoolFile
from agent.spool.model import PAGE_BYTES, LaneState, SpoolLimits, SpoolStats
from agent.spool.rescue import Rescue
from agent.spool.space import Space
from shared.clock import Clock, SystemClock
from shared.errors import Corrupt, StorageFull, WireError
from shared.group_commit import GroupCommitter
from shared.log import get_logger
from shared.wire.codec import MAX_MESSAGE_BYTES, pack
from shared.wire.record import Gap, Record, RecordKind, check

T = TypeVar("T")
_ENVELOPE_BYTES = 256
_TRIES = 3

log = get_logger(__name__)


class Spool:
    """One file, one writer thread. `machine_id` binds the epoch to this machine: a cloned disk starts its own."""

    def __init__(
        self, folder: Path, *, machine_id: str, limits: SpoolLimits | None = None, clock: Clock | None = None
    ) -> None:
        self.appended = asyncio.Event()  # set after each append, cleared by the one who drains
        self._limits = limits or SpoolLimits()
        self._clock = clock or SystemClock()
        self._file = SpoolFile(folder, machine_id, self._limits, self._clock)
        self._space = Space(self._limits, self._file.witness, self._clock)
        self._rescue: Rescue | None = None
        self._mending = asyncio.Lock()

    @property
    def epoch(self) -> str:
        """Names the file that gives numbers now; changes where that file had to be set aside."""
        return self._file.epoch

    async def open(self) -> None:
        """Ready to append when it returns, whatever the file was like; saving what it held goes on behind."""
        reason = await asyncio.to_thread(self._file.open)
        if reason is not None:
            await self._file.committer.call(partial(self._space.say, code="spool.damaged", text=f"set aside: {reason}"))
        await self._file.committer.call(self._space.let_go if self._file.ballast.present else self._space.hold)
        if next(self._file.quarantine.unsaved(), None) is not None:
            notify = partial(asyncio.get_running_loop().call_soon_threadsafe, self.appended.set)
            self._rescue = Rescue(self._file.quarantine, self._file.committer, self._space, self._clock, notify)
            self._rescue.start()

    async def close(self) -> None:
        if self._rescue is not None:
            await asyncio.to_thread(self._rescue.stop)
        await asyncio.to_thread(self._file.close)

    async def append(self, kind: RecordKind, message: msgspec.Struct, samples: int) -> int:
        """The number of the new record, once it is on the disk.

        StorageFull where even thinning out and the ballast made no room; WireError where the message is too large.
        """
        body = pack(message)
        if len(body) > MAX_MESSAGE_BYTES - _ENVELOPE_BYTES:
            raise WireError(f"{type(message).__name__} packs to {len(body)} bytes; a record holds {MAX_MESSAGE_BYTES}")
        seq = await self._mended(partial(self._append, kind, body, samples))
        self.appended.set()
        return seq

    async def gap(self, gap: Gap) -> int:
        """Put it on record that rows are gone."""
        seq = await self._mended(lambda connection: table.insert_gaps(connection, [gap], self._clock.now_ms()))
        self.appended.set()
        return seq

    async def rows_after(self, seq: int, limit: int, *, epoch: str | None = None) -> list[Record]:
        """Up to `limit` records above `seq`, ascending; without `epoch`, of the present one. All pass their CRC."""
        return await self._whole(partial(table.rows_after, epoch=epoch or self.epoch, seq=seq, limit=limit))

    async def gap_records(self) -> list[Record]:
        """Gap records that still wait for a receipt: to be sent first, because marks wait for them."""
        return await self._whole(table.gap_rows)

    async def lanes(self) -> list[LaneState]:
        """The present epoch, then those whose salvaged rows still wait."""
        return await self._mended(table.lanes)

    async def release(self, epoch: str, mark: int) -> int:
        """Delete what a verified receipt covers; the number of rows. NotAddressed where it cannot be about this spool:
        an unknown epoch, or a mark above every number that was given out.
        """
        return await self._mended(partial(table.release, epoch=epoch, mark=mark))

    async def stats(self) -> SpoolStats:
        """Figures for health reports; asking resets the worst fsync. Takes the ballast back when there is room."""
        if self._file.ballast.restore() and self._space.held:
            await self._mended(self._space.let_go)
        lanes, pages = await self._mended(lambda connection: (table.lanes(connection), table.used_pages(connection)))
        oldest = [lane.oldest_ms for lane in lanes if lane.oldest_ms is not None]
        return SpoolStats(
            epoch=lanes[0].epoch,
            rows=sum(lane.rows for lane in lanes),
            lowest_seq=lanes[0].released + 1,
            highest_seq=lanes[0].highest_seq,
            oldest_age_s=max(0.0, (self._clock.now_ms() - min(oldest)) / 1000) if oldest else 0.0,
            bytes_used=pages * PAGE_BYTES,
            worst_fsync_s=self._file.committer.take_worst_commit_s(),
            space_low=self._space.low,
            salvaging=self._rescue is not None and self._rescue.running,
            ballast=self._file.ballast.present,
        )

    def _append(self, kind: RecordKind, body: bytes, samples: int, connection: sqlite3.Connection) -> int:
        self._space.watch(connection)
        seq = table.insert(connection, kind, body, samples, self._clock.now_ms())
        self._file.witness.cover(seq)
        return seq

    async def _mended(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`; where the disk is full or the file is damaged, mend that first and run it again."""
        for _ in range(_TRIES):
            committer = self._file.committer
            try:
                return await committer.call(work)
            except StorageFull:
                await self._make_room()
            except Corrupt as error:
                await self._start_over(committer, error)
        return await self._file.committer.call(work)

    async def _make_room(self) -> None:
        """The ladder of a full disk: thin out the oldest; where even that needs room, give up the ballast for it."""
        async with self._mending:
            committer = self._file.committer
            try:
                await committer.call(self._space.thin)
                await asyncio.to_thread(committer.maintain, _checkpoint)
            except StorageFull:
                if not self._file.ballast.drop():
                    return
                log.warning("spool.ballast-dropped")
                await asyncio.to_thread(committer.maintain, _checkpoint)  # before the log grows into the new room
                await asyncio.to_thread(committer.maintain, self._space.hold)
                await committer.call(self._space.thin)

    async def _start_over(self, broken: GroupCommitter, error: Corrupt) -> None:
        """The file broke while in use: as at a start."""
        async with self._mending:
            if self._file.committer is not broken:
                return
            log.warning("spool.broke", reason=error.detail)
            if self._rescue is not None:
                await asyncio.to_thread(self._rescue.stop)
            await asyncio.to_thread(self._file.set_aside)
            await self.open()

    async def _whole(self, read: Callable[[sqlite3.Connection], list[Record]]) -> list[Record]:
        """Rows that pass their CRC; those that do not become gaps."""
        rows = await self._mended(read)
        damaged = [row for row in rows if not _passes(row)]
        if not damaged:
            return rows
        log.error("spool.bad-rows", rows=[(row.epoch, row.seq) for row in damaged])
        await self._mended(lambda connection: table.drop_damaged(connection, damaged, self._clock.now_ms()))
        self.appended.set()
        return [row for row in rows if _passes(row)]


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Merge the log. Its file is not cut, so that nobody else can take its place on a full disk."""
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()


def _passes(record: Record) -> bool:
    try:
        check(record)
    except WireError:
        return False
    return True
