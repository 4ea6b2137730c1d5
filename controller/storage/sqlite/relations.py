"""The fleet's relations in controller.db, by aiosqlite: small, changed seldom, read whole at start."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

import aiosqlite
import msgspec

from controller.fleet.alarm import Alarm
from controller.fleet.model import Device, Node, RecordIdentity, SiteRecord
from controller.fleet.ports import FleetChange, FleetState
from controller.storage.sqlite.fault import translated
from controller.storage.sqlite.migration import migrate
from shared.errors import Corrupt, StorageUnavailable

T = TypeVar("T", bound=msgspec.Struct)
_encode = msgspec.msgpack.encode
_PRAGMAS = ("PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA busy_timeout=5000")


class SqliteRelations:
    """FleetStore on a file; use as an async context manager. What `apply` returned for is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = asyncio.Lock()
        self._opened: aiosqlite.Connection | None = None

    async def __aenter__(self) -> Self:
        migrate(self._path, "relations")
        self._opened = await aiosqlite.connect(self._path, isolation_level=None)
        for pragma in _PRAGMAS:
            await self._opened.execute(pragma)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def load(self) -> FleetState:
        return FleetState(
            sites=tuple(await self._bodies(SiteRecord, "SELECT body FROM site")),
            nodes=tuple(await self._bodies(Node, "SELECT body FROM node")),
            devices=tuple(await self._bodies(Device, "SELECT body FROM device")),
            alarms=tuple(await self._bodies(Alarm, "SELECT body FROM alarm WHERE phase <> 'closed'")),
        )

    async def apply(self, change: FleetChange, source: tuple[str, str, RecordIdentity] | None = None) -> bool:
        async with self.transaction() as connection:
            if source is not None and not await _first_time(connection, source):
                return False
            await _write_inventory(connection, change)
            await _write_alarms(connection, change)
        return True

    async def _bodies(self, kind: type[T], query: str, values: Sequence[str | int] = ()) -> list[T]:
        try:
            rows = await self._connection.execute_fetchall(query, values)
            return [msgspec.msgpack.decode(body, type=kind) for (body,) in rows]
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        except msgspec.MsgspecError as error:
            raise Corrupt(f"{self._path}: {kind.__name__}: {error}") from error

    @property
    def _connection(self) -> aiosqlite.Connection:
        if self._opened is None:
            raise StorageUnavailable(f"{self._path} is not open")
        return self._opened

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """All that is written in it, or nothing; one at a time."""
        async with self._writing:
            connection = self._connection
            try:
                await connection.execute("BEGIN IMMEDIATE")
                yield connection
                await connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise translated(error, self._path) from error
            finally:
                if connection.in_transaction:
                    await connection.execute("ROLLBACK")


async def _first_time(connection: aiosqlite.Connection, source: tuple[str, str, RecordIdentity]) -> bool:
    site, node, (epoch, seq) = source
    query = "INSERT INTO handled VALUES (?, ?, ?, ?, 1000 * strftime('%s', 'now')) ON CONFLICT DO NOTHING"
    cursor = await connection.execute(query, (site, node, epoch, seq))
    return cursor.rowcount == 1


async def _write_inventory(connection: aiosqlite.Connection, change: FleetChange) -> None:
    if change.site is not None:
        values = (change.site.site.id, _encode(change.site))
        await connection.execute("INSERT OR REPLACE INTO site VALUES (?, ?)", values)
    if change.node is not None:
        row = (change.node.site, change.node.node, _encode(change.node))
        await connection.execute("INSERT OR REPLACE INTO node VALUES (?, ?, ?)", row)
    await connection.executemany(
        "INSERT OR REPLACE INTO device VALUES (?, ?, ?)",
        [(device.site, device.device_id, _encode(device)) for device in change.devices],
    )


async def _write_alarms(connection: aiosqlite.Connection, change: FleetChange) -> None:
    await connection.executemany(
        "INSERT OR REPLACE INTO alarm VALUES (?, ?, ?, ?, ?)",
        [(alarm.alarm_id, alarm.raised_at_ms, alarm.site, alarm.phase, _encode(alarm)) for alarm in change.alarms],
    )
    await connection.executemany(
        "INSERT INTO notice (site, at_ms, body) VALUES (?, ?, ?)",
        [(notice.site, notice.at_ms, _encode(notice)) for notice in change.notices],
    )
