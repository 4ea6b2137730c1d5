"""What the controller's databases hold after a run of the ingest benchmark, record by record."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

Key = tuple[str, int]
"""A node and the number of one of its records."""


class Books(msgspec.Struct, frozen=True):
    """`rows` are the samples that are stored of each record, `devices` how many miners the controller knows of."""

    rows: Mapping[Key, int]
    gaps: int
    quarantined: int
    rolled_up: int
    devices: int


def read_books(folder: Path) -> Books:
    """From the state folder of a controller that has stopped."""
    telemetry, relations = folder / "telemetry.db", folder / "controller.db"
    rows = _rows(
        telemetry, "SELECT node, seq, count(*) FROM miner_sample JOIN lane USING (lane_no) GROUP BY lane_no, seq"
    )
    ((gaps, quarantined, rolled_up),) = _rows(
        telemetry,
        "SELECT (SELECT count(*) FROM gap), (SELECT count(*) FROM quarantine), (SELECT count(*) FROM miner_5min)",
    )
    ((devices,),) = _rows(relations, "SELECT count(*) FROM device")
    return Books({(node, seq): count for node, seq, count in rows}, gaps, quarantined, rolled_up, devices)


def stored_once(books: Books, sent: Mapping[str, range], samples: int) -> bool:
    """Is every record that a node sent there with each of its samples, and nothing besides?"""
    wanted = {(node, seq): samples for node, numbers in sent.items() for seq in numbers}
    return books.rows == wanted and not books.gaps and not books.quarantined


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()
