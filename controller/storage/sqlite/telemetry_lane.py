"""The books of the durable lane: marks, gaps, epochs. Part of the transaction that stores the records."""

import sqlite3
from typing import NamedTuple

from controller.ingest.coverage import Coverage
from controller.ingest.model import REASON_UNHELD, HelloArrival
from shared.wire.record import Gap


class Lane(NamedTuple):
    """One epoch of one node's spool, with what is accounted for."""

    lane_no: int
    coverage: Coverage


class LaneBook:
    """Keeps lanes in memory as the file has them. `forget` after a transaction that failed."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str, str], Lane] = {}
        self._touched: dict[tuple[str, str, str], int] = {}  # highest number of the running transaction

    def forget(self) -> None:
        self._lanes.clear()
        self._touched.clear()

    def lane(self, connection: sqlite3.Connection, key: tuple[str, str, str], now_ms: int) -> Lane:
        """The lane of (site, node, epoch); a new one starts at mark 0."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._load(connection, key, now_ms)
        self._touched.setdefault(key, 0)
        return lane

    def announced(self, key: tuple[str, str, str], seq: int) -> None:
        self._touched[key] = max(self._touched.get(key, 0), seq)

    def account_for_gap(self, connection: sqlite3.Connection, key: tuple[str, str, str], gap: Gap, now_ms: int) -> int:
        """Write what the gap newly covers into the ledger; the number of lines."""
        lane = self.lane(connection, key, now_ms)
        fresh = lane.coverage.add(gap.from_seq, gap.to_seq)
        whole = fresh == [(gap.from_seq, gap.to_seq)]
        connection.executemany(
            "INSERT INTO gap (lane_no, from_seq, to_seq, samples, reason, first_ms, last_ms, recorded_at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    lane.lane_no,
                    first,
                    last,
                    gap.samples if whole else None,
                    gap.reason,
                    gap.first_ms,
                    gap.last_ms,
                    now_ms,
                )
                for first, last in fresh
            ],
        )
        return len(fresh)

    def greet(self, connection: sqlite3.Connection, arrival: HelloArrival, now_ms: int) -> bool:
        """A node says what it holds. True where it has turned back to an epoch that it had left: two spools share one
        identity.
        """
        hello = arrival.hello
        key = (arrival.site, arrival.node, hello.epoch)
        lane = self.lane(connection, key, now_ms)
        self.announced(key, hello.highest_seq)
        if hello.lowest_seq > lane.coverage.mark + 1:
            unheld = Gap(hello.epoch, lane.coverage.mark + 1, hello.lowest_seq - 1, None, REASON_UNHELD, None, None)
            self.account_for_gap(connection, key, unheld, now_ms)
        if hello.salvaged:
            return False
        retired = connection.execute("SELECT retired_at_ms FROM lane WHERE lane_no = ?", (lane.lane_no,)).fetchone()[0]
        connection.execute("UPDATE lane SET retired_at_ms = NULL WHERE lane_no = ?", (lane.lane_no,))
        connection.execute(
            "UPDATE lane SET retired_at_ms = ? WHERE site = ? AND node = ? AND epoch <> ? AND retired_at_ms IS NULL",
            (now_ms, *key),
        )
        return retired is not None

    def settle(self, connection: sqlite3.Connection, now_ms: int) -> dict[tuple[str, str, str], int]:
        """Write down where the touched lanes stand; their marks."""
        marks: dict[tuple[str, str, str], int] = {}
        for key, announced in self._touched.items():
            lane = self._lanes[key]
            marks[key] = lane.coverage.mark
            connection.execute(
                "UPDATE lane SET mark = ?, announced = max(announced, ?), last_seen_ms = ? WHERE lane_no = ?",
                (lane.coverage.mark, announced, now_ms, lane.lane_no),
            )
            connection.execute("DELETE FROM lane_ahead WHERE lane_no = ?", (lane.lane_no,))
            connection.executemany(
                "INSERT INTO lane_ahead VALUES (?, ?, ?)",
                [(lane.lane_no, first, last) for first, last in lane.coverage.ahead],
            )
        self._touched.clear()
        return marks

    def _load(self, connection: sqlite3.Connection, key: tuple[str, str, str], now_ms: int) -> Lane:
        connection.execute(
            "INSERT INTO lane (site, node, epoch, first_seen_ms, last_seen_ms) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (*key, now_ms, now_ms),
        )
        lane_no, mark = connection.execute(
            "SELECT lane_no, mark FROM lane WHERE site = ? AND node = ? AND epoch = ?", key
        ).fetchone()
        ahead = connection.execute(
            "SELECT from_seq, to_seq FROM lane_ahead WHERE lane_no = ? ORDER BY from_seq", (lane_no,)
        ).fetchall()
        return Lane(lane_no, Coverage(mark, ahead))
