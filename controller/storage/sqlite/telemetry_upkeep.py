"""Keeps roll-ups up to date and the file within its retention, a small transaction at a time."""

import asyncio
import sqlite3
from functools import partial

import msgspec

from controller.storage.sqlite.telemetry_rollup import (
    FIVE_MINUTES,
    LEVELS,
    ONE_HOUR,
    Bucket,
    Level,
    dirty_buckets,
    oldest_source_ms,
    roll_up,
    seal,
)
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared.clock import Clock, SystemClock
from shared.errors import StorageError
from shared.log import get_logger

_DAY_MS = 86_400_000
_BATCH = 64

log = get_logger(__name__)


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Days that samples and five-minute roll-ups are kept; hours are kept for ever. Rows that come within `grace_ms`
    after the end of a bucket are counted in one go.
    """

    sample_days: int = 7
    five_minute_days: int = 90
    grace_ms: int = 30_000
    every_s: float = 30.0


class TelemetryUpkeep:
    """`run` as a task; `roll_up` and `retain` may be called by hand."""

    def __init__(self, store: SqliteTelemetry, retention: Retention | None = None, clock: Clock | None = None) -> None:
        self._committer = store.committer
        self._retention = retention or Retention()
        self._clock = clock or SystemClock()

    async def run(self) -> None:
        while True:
            try:
                await self.roll_up()
                await self.retain()
            except StorageError as error:
                log.warning("telemetry.upkeep-failed", code=error.code, detail=error.detail)
            await asyncio.sleep(self._retention.every_s)

    async def roll_up(self) -> int:
        """Bring every bucket up to date that is over; the number of buckets."""
        before_ms = self._clock.now_ms() - self._retention.grace_ms
        done = 0
        while buckets := await self._committer.call(partial(dirty_buckets, before_ms=before_ms, limit=_BATCH)):
            for bucket in buckets:
                await self._committer.call(partial(roll_up, bucket=bucket))
            done += len(buckets)
        return done

    async def retain(self) -> int:
        """Delete what is older than its days; the number of rows."""
        deleted = 0
        for level, days in (
            (FIVE_MINUTES, self._retention.sample_days),
            (ONE_HOUR, self._retention.five_minute_days),
        ):
            before_ms = level.start(self._clock.now_ms() - days * _DAY_MS)
            for site, kind in await self._committer.call(_site_kinds):
                deleted += await self._retain(site, kind, level, before_ms)
        before_ms = self._clock.now_ms() - self._retention.sample_days * _DAY_MS
        return deleted + await self._committer.call(partial(_delete_host_samples, before_ms=before_ms))

    async def forget_quarantine(self, before_ms: int) -> int:
        """Delete frames that were set apart before then; how many."""
        deleted = 0
        while count := await self._committer.call(partial(_delete_quarantine, before_ms=before_ms)):
            deleted += count
        return deleted

    async def _retain(self, site: str, kind: str, level: Level, before_ms: int) -> int:
        """Oldest bucket first: what lies before the horizon must all be gone."""
        deleted = 0
        while True:
            oldest_ms = await self._committer.call(partial(oldest_source_ms, site=site, kind=kind, level=level))
            if oldest_ms is None or level.start(oldest_ms) >= before_ms:
                return deleted
            bucket = Bucket(site, kind, level.number, LEVELS[level.number].start(oldest_ms))
            deleted += await self._committer.call(partial(seal, bucket=bucket))


def _site_kinds(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT DISTINCT site, kind FROM device").fetchall()


def _delete_quarantine(connection: sqlite3.Connection, before_ms: int) -> int:
    return connection.execute(
        "DELETE FROM quarantine WHERE quarantine_no IN"
        " (SELECT quarantine_no FROM quarantine WHERE at_ms < ? ORDER BY quarantine_no LIMIT ?)",
        (before_ms, _BATCH),
    ).rowcount


def _delete_host_samples(connection: sqlite3.Connection, before_ms: int) -> int:
    lanes = [row[0] for row in connection.execute("SELECT lane_no FROM lane")]
    return connection.executemany(
        "DELETE FROM host_sample WHERE lane_no = ? AND observed_at_ms < ?", ((lane, before_ms) for lane in lanes)
    ).rowcount
