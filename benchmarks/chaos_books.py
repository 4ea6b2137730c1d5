"""What the controller has stored of the records that the agent accepted, counted row by row in its own files."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.chaos_witness import Acceptance
from controller.commands.event import OutcomesRecorded, SiteDenied, codec
from controller.journal import RecordedEvent
from shared.wire.record import RecordKind

_BUSY_S = 5.0
_READING = {"miner": "device_no", "board": "device_no, slot", "meter": "device_no", "outlet": "device_no, outlet"}
_TABLES = (*(f"{kind}_sample" for kind in _READING), "host_sample")


class Books(NamedTuple):
    """The store's rows for one epoch: samples by record, and what else speaks for a number."""

    samples: Counter[int]
    covered: list[tuple[int, int]]
    gaps: list[tuple[int, int]]
    inbox: frozenset[int]
    repeated_rows: int


class Verdict(NamedTuple):
    """In rows: samples of telemetry, steps of orders, events. `unaccepted` were stored and never accepted."""

    records: int
    accepted: int
    lost: int
    duplicates: int
    gapped: int
    waiting: int
    unaccepted: int


def read_books(telemetry: Path, epoch: str) -> Books:
    with closing(sqlite3.connect(f"{telemetry.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as store:
        lane_no, mark = store.execute("SELECT lane_no, mark FROM lane WHERE epoch = ?", (epoch,)).fetchone()
        samples: Counter[int] = Counter()
        for table in _TABLES:
            query = f"SELECT seq, count(*) FROM {table} WHERE lane_no = ? GROUP BY seq"
            for seq, count in store.execute(query, (lane_no,)):
                samples[seq] += count
        ahead = store.execute("SELECT from_seq, to_seq FROM lane_ahead WHERE lane_no = ?", (lane_no,)).fetchall()
        gaps = store.execute("SELECT from_seq, to_seq FROM gap WHERE lane_no = ?", (lane_no,)).fetchall()
        inbox = frozenset(seq for (seq,) in store.execute("SELECT seq FROM inbox WHERE epoch = ?", (epoch,)))
        repeated = sum(_repeated(store, kind, whose) for kind, whose in _READING.items())
    return Books(samples, [(1, mark), *ahead], gaps, inbox, repeated)


def stored_mark(telemetry: Path, epoch: str) -> int:
    """Up to where the controller says that it has everything."""
    with closing(sqlite3.connect(f"{telemetry.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as store:
        row = store.execute("SELECT mark FROM lane WHERE epoch = ?", (epoch,)).fetchone()
    return 0 if row is None else int(row[0])


def result_rows(events: Iterable[RecordedEvent], epoch: str) -> Counter[int]:
    """Rows in the journal by the number of the record that brought them."""
    rows: Counter[int] = Counter()
    for event in events:
        fact = codec.decode(event)
        if isinstance(fact, OutcomesRecorded | SiteDenied) and fact.epoch == epoch:
            rows[fact.seq] += len(fact.rows)
    return rows


def compare(accepted: Acceptance, books: Books, results: Counter[int]) -> Verdict:
    """Telemetry and results by their rows; events and inventories, which change state, by the lane's book."""
    lost = duplicates = gapped = waiting = 0
    for seq, (kind, samples) in accepted.records.items():
        stored = _stored(seq, kind, samples, books, results)
        missing = max(samples - stored, 0)
        duplicates += max(stored - samples, 0)
        if missing and _within(seq, books.gaps):
            gapped += missing
        elif missing and seq in accepted.waiting:
            waiting += missing
        else:
            lost += missing
    strangers = (books.samples.keys() | results.keys()) - accepted.records.keys()
    return Verdict(
        records=len(accepted.records),
        accepted=sum(record.samples for record in accepted.records.values()),
        lost=lost,
        duplicates=duplicates + books.repeated_rows,
        gapped=gapped,
        waiting=waiting,
        unaccepted=len(strangers),
    )


def _stored(seq: int, kind: int, samples: int, books: Books, results: Counter[int]) -> int:
    if kind == RecordKind.TELEMETRY:
        return books.samples[seq]
    if kind == RecordKind.RESULT:
        return results[seq] or (samples if seq in books.inbox else 0)
    return samples if _within(seq, books.covered) else 0


def _repeated(store: sqlite3.Connection, kind: str, whose: str) -> int:
    """How often one reading of one device came in more than one record."""
    query = (
        f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(DISTINCT seq) AS n FROM {kind}_sample"
        f" GROUP BY {whose}, observed_at_ms HAVING n > 1)"
    )
    return int(store.execute(query).fetchone()[0])


def _within(seq: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= seq <= last for first, last in ranges)
