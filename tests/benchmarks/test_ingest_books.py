"""The books of the ingest benchmark: one record that is short, double or strange is seen, whatever the totals say."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from benchmarks.ingest_books import Books, read_books, stored_once
from benchmarks.site_load import site_batch
from controller.ingest import Group, RecordArrival
from controller.storage.sqlite.migration import migrate
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared.wire.record import RecordKind

SENT = {"n1": range(2, 5), "n2": range(2, 3)}
WHOLE = Books(
    {("n1", 2): 10, ("n1", 3): 10, ("n1", 4): 10, ("n2", 2): 10}, gaps=0, quarantined=0, rolled_up=3, devices=20
)


def test_every_record_once_is_whole():
    assert stored_once(WHOLE, SENT, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": {**WHOLE.rows, ("n1", 2): 20, ("n1", 3): 0}},  # the same total
        {"rows": {key: count for key, count in WHOLE.rows.items() if key != ("n1", 4)}},
        {"rows": {**WHOLE.rows, ("n2", 3): 10}},
        {"rows": {**WHOLE.rows, ("n3", 2): 10}},
        {"gaps": 1},
        {"quarantined": 1},
    ],
)
def test_what_is_not_whole_is_seen(change):
    assert not stored_once(msgspec.structs.replace(WHOLE, **change), SENT, 10)


async def test_books_are_read_from_the_databases(tmp_path: Path):
    migrate(tmp_path / "controller.db", "relations")
    with closing(sqlite3.connect(tmp_path / "controller.db")) as connection:
        connection.execute("INSERT INTO device VALUES ('north', 'm-1', x'00')")
        connection.commit()
    async with SqliteTelemetry(tmp_path / "telemetry.db") as store:
        for seq in (2, 3, 3):
            batch = site_batch(0, 5, 1_000 * seq)
            store.store(Group([RecordArrival("north", "n1", "e", seq, RecordKind.TELEMETRY, b"", batch)], [], []), 1)
    books = read_books(tmp_path)
    assert (books.rows, books.devices, books.quarantined) == ({("n1", 2): 5, ("n1", 3): 5}, 1, 0)
