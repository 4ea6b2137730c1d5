"""Writes the samples of a record: column by column, no Python for a row, every bucket it touches noted."""

import sqlite3

import msgspec

from controller.storage.sqlite.telemetry_rollup import FIVE_MINUTES
from controller.storage.sqlite.telemetry_table import INSERT_HOST, TABLES, SampleTable, Table, statements
from shared.wire.telemetry import TelemetryBatch


class SampleWriter:
    """Knows the numbers of devices. `forget` after a transaction that failed, `forget_devices` after one record that
    was rolled back: its buckets stay noted, which costs no more than a look.
    """

    def __init__(self) -> None:
        self._device_nos: dict[tuple[str, str], dict[str, int]] = {}
        self._dirty: set[tuple[str, str, int]] = set()

    def forget(self) -> None:
        self.forget_devices()
        self._dirty.clear()

    def forget_devices(self) -> None:
        self._device_nos.clear()

    def write(self, connection: sqlite3.Connection, site: str, lane_no: int, seq: int, batch: TelemetryBatch) -> int:
        """The number of samples stored."""
        count = 0
        for table in TABLES.values():
            columns = table.of(batch)
            if columns.device_id:
                numbers = self._numbers(connection, site, table, columns)
                for statement, parameters in statements(table, numbers, lane_no, seq, columns):
                    connection.execute(statement, parameters)
                self._note(site, table, columns)
                count += len(numbers)
        if batch.host is not None:
            connection.execute(INSERT_HOST, (lane_no, seq, *msgspec.structs.astuple(batch.host)))
            count += 1
        return count

    def settle(self, connection: sqlite3.Connection) -> None:
        """Write down the buckets that the transaction touched."""
        connection.executemany(
            "INSERT INTO dirty (site, kind, level, bucket_ms) VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING", self._dirty
        )
        self._dirty.clear()

    def _numbers(self, connection: sqlite3.Connection, site: str, table: SampleTable, columns: Table) -> list[int]:
        known = self._device_nos.get((site, table.kind))
        if known is None:
            rows = connection.execute(
                "SELECT device_id, device_no FROM device WHERE site = ? AND kind = ?", (site, table.kind)
            )
            known = self._device_nos[site, table.kind] = dict(rows)
        for device_id in set(columns.device_id).difference(known):
            cursor = connection.execute(
                "INSERT INTO device (site, kind, device_id) VALUES (?, ?, ?)", (site, table.kind, device_id)
            )
            assert cursor.lastrowid is not None
            known[device_id] = cursor.lastrowid
        return list(map(known.__getitem__, columns.device_id))

    def _note(self, site: str, table: SampleTable, columns: Table) -> None:
        first = FIVE_MINUTES.start(min(columns.observed_at_ms))
        last = FIVE_MINUTES.start(max(columns.observed_at_ms))
        if first == last:
            self._dirty.add((site, table.kind, first))
        else:
            self._dirty.update((site, table.kind, FIVE_MINUTES.start(at)) for at in columns.observed_at_ms)
