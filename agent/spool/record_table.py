"""What the spool's one writer does to its rows. Each function runs inside a transaction of the group committer."""

import sqlite3
from collections.abc import Iterable, Sequence

from agent.spool.model import LaneState
from agent.spool.salvage import SavedRow
from shared.errors import NotAddressed
from shared.wire.codec import pack
from shared.wire.record import Gap, GapBatch, Record, RecordKind, checksum
from shared.wire.version import WIRE_VERSION

GAPS_A_RECORD = 1000


def present_epoch(connection: sqlite3.Connection) -> str:
    epoch: str = connection.execute("SELECT epoch FROM spool").fetchone()[0]
    return epoch


def highest_seq(connection: sqlite3.Connection) -> int:
    """The last number that was given out in this epoch, whether its row is still here or not."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()
    return 0 if row is None else int(row[0])


def insert(connection: sqlite3.Connection, kind: RecordKind, body: bytes, samples: int, now_ms: int) -> int:
    seq = highest_seq(connection) + 1
    connection.execute(
        "INSERT INTO record (seq, kind, crc, samples, accepted_at_ms, body) VALUES (?, ?, ?, ?, ?, ?)",
        (seq, int(kind), checksum(seq, body), samples, now_ms, body),
    )
    return seq


def insert_gaps(connection: sqlite3.Connection, gaps: Sequence[Gap], now_ms: int) -> int:
    """Gap records for all of them; the last number given out."""
    for start in range(0, len(gaps), GAPS_A_RECORD):
        body = pack(GapBatch(gaps=tuple(gaps[start : start + GAPS_A_RECORD])))
        insert(connection, RecordKind.GAP, body, 0, now_ms)
    return highest_seq(connection)


def lanes(connection: sqlite3.Connection) -> list[LaneState]:
    """The present epoch first, then those that are being salvaged."""
    epoch, released, rows = connection.execute("SELECT epoch, released, rows FROM spool").fetchone()
    oldest = connection.execute("SELECT accepted_at_ms FROM record ORDER BY seq LIMIT 1").fetchone()
    present = LaneState(
        epoch=epoch,
        released=released,
        highest_seq=highest_seq(connection),
        rows=rows,
        oldest_ms=oldest[0] if oldest else None,
        salvaged=False,
    )
    salvaged = connection.execute(
        "SELECT epoch, released, (SELECT max(seq) FROM salvaged s WHERE s.epoch = e.epoch),"
        " (SELECT count(*) FROM salvaged s WHERE s.epoch = e.epoch),"
        " (SELECT accepted_at_ms FROM salvaged s WHERE s.epoch = e.epoch ORDER BY seq LIMIT 1)"
        " FROM salvaged_epoch e"
    )
    return [
        present,
        *(
            LaneState(epoch=e, released=r, highest_seq=h, rows=n, oldest_ms=o, salvaged=True)
            for e, r, h, n, o in salvaged
            if n
        ),
    ]


def rows_after(connection: sqlite3.Connection, epoch: str, seq: int, limit: int) -> list[Record]:
    """Rows in the order of their numbers. Not yet checked against their CRC."""
    if epoch == present_epoch(connection):
        query = "SELECT epoch, seq, kind, crc, samples, body FROM spool, record WHERE epoch = ? AND seq > ?"
    else:
        query = "SELECT epoch, seq, kind, crc, samples, body FROM salvaged WHERE epoch = ? AND seq > ?"
    cursor = connection.execute(f"{query} ORDER BY seq LIMIT ?", (epoch, seq, limit))
    return [Record(WIRE_VERSION, *row) for row in cursor]


def gap_rows(connection: sqlite3.Connection) -> list[Record]:
    """Gap records that are not receipted yet, of every epoch."""
    cursor = connection.execute(
        "SELECT epoch, seq, kind, crc, samples, body FROM spool, record WHERE kind = 5"
        " UNION ALL SELECT epoch, seq, kind, crc, samples, body FROM salvaged WHERE kind = 5 ORDER BY epoch, seq"
    )
    return [Record(WIRE_VERSION, *row) for row in cursor]


def release(connection: sqlite3.Connection, epoch: str, mark: int) -> int:
    """Delete what the controller has stored; the number of rows. NotAddressed where it cannot mean this spool."""
    if epoch == present_epoch(connection):
        if mark > (highest := highest_seq(connection)):
            raise NotAddressed(f"a receipt names record {mark}, but {highest} is the last of epoch {epoch[:8]}")
        connection.execute("UPDATE spool SET released = max(released, ?)", (mark,))
        return connection.execute("DELETE FROM record WHERE seq <= ?", (mark,)).rowcount
    known = connection.execute("UPDATE salvaged_epoch SET released = max(released, ?) WHERE epoch = ?", (mark, epoch))
    if known.rowcount == 0:
        raise NotAddressed(f"a receipt names epoch {epoch[:8]}, which is not kept here")
    return connection.execute("DELETE FROM salvaged WHERE epoch = ? AND seq <= ?", (epoch, mark)).rowcount


def save(connection: sqlite3.Connection, rows: Sequence[SavedRow]) -> None:
    """Keep rows of an older file under their own numbers."""
    connection.executemany("INSERT INTO salvaged VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)


def drop_damaged(connection: sqlite3.Connection, rows: Iterable[Record], now_ms: int) -> None:
    """Rows whose checksum is wrong are never sent: each becomes a gap of one."""
    present = present_epoch(connection)
    gaps = []
    for row in rows:
        if row.epoch == present:
            connection.execute("DELETE FROM record WHERE seq = ?", (row.seq,))
        else:
            connection.execute("DELETE FROM salvaged WHERE epoch = ? AND seq = ?", (row.epoch, row.seq))
        gaps.append(Gap(row.epoch, row.seq, row.seq, None, "corruption", None, None))
    insert_gaps(connection, gaps, now_ms)


def thin(connection: sqlite3.Connection, count: int, now_ms: int) -> int:
    """Delete every second of the `count` oldest telemetry rows and write down which; the number deleted.

    The oldest hours so lose resolution before they lose coverage. Events, results and gap records stay.
    """
    epoch = present_epoch(connection)
    oldest = connection.execute(
        "SELECT seq, samples, accepted_at_ms FROM record WHERE kind = ? ORDER BY seq LIMIT ?",
        (int(RecordKind.TELEMETRY), count),
    ).fetchall()
    victims = oldest[:-1:2]  # never the newest
    connection.executemany("DELETE FROM record WHERE seq = ?", ((row[0],) for row in victims))
    gaps = [Gap(epoch, seq, seq, samples, "disk_full_downsampled", at, at) for seq, samples, at in victims]
    insert_gaps(connection, gaps, now_ms)
    return len(victims)


def used_pages(connection: sqlite3.Connection) -> int:
    total: int = connection.execute("PRAGMA page_count").fetchone()[0]
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return total - free
