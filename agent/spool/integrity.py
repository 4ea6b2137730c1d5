"""Is this spool file whole? Tests that end within seconds, whatever its size.

SQLite opens some damaged files without a word: an empty one counts as new, and a write-ahead log with a flipped bit is
used only up to the flip. Both would give out numbers a second time, so both are looked for here.
"""

import sqlite3
import struct
import time
from pathlib import Path

from shared.errors import Corrupt

_DATABASE_MAGIC = b"SQLite format 3\x00"
_WAL_MAGICS = {0x377F0682: "<", 0x377F0683: ">"}  # https://www.sqlite.org/fileformat2.html section 4.1
_WAL_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_OPCODES_BETWEEN_CHECKS = 10_000


def check_files(database: Path) -> int:
    """Before SQLite opens it: the last frame of the write-ahead log that ends a commit, counted from 1.

    Corrupt where the files cannot be what we wrote; 0 where there is no log.
    """
    wal = database.with_name(database.name + "-wal")
    if not database.exists() or (database.stat().st_size == 0 and not wal.exists()):
        return 0  # nothing was ever written
    head = _head(database, len(_DATABASE_MAGIC))
    if head != _DATABASE_MAGIC:
        raise Corrupt(f"{database}: {'is empty' if not head else 'has a damaged header'}")
    return _last_commit_frame(wal) if wal.exists() else 0


def check_tail(database: Path) -> None:
    """Before SQLite opens the file, and without touching it: Corrupt where the write-ahead log holds a commit that
    SQLite would pass over, because it or one before it is damaged. Whoever opens and closes such a file merges the rest
    and forgets that there was more.
    """
    wal = database.with_name(database.name + "-wal")
    if wal.exists() and (whole := _last_commit_frame(wal, whole=True)) < (last := _last_commit_frame(wal)):
        raise Corrupt(f"{wal}: is whole up to frame {whole}, although frame {last} ends a commit")


def check_log(connection: sqlite3.Connection, last_commit_frame: int) -> None:
    """After opening and before any write: did SQLite use all commits that stand in the log?"""
    _, recovered, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if recovered < last_commit_frame:
        raise Corrupt(
            f"the write-ahead log ends at frame {recovered}, although frame {last_commit_frame} ends a commit"
        )


def check_pages(connection: sqlite3.Connection, deadline_s: float) -> None:
    """SQLite's own quick_check, as far as it gets in `deadline_s`. Rows have their own checksums."""
    ends_s = time.monotonic() + deadline_s
    connection.set_progress_handler(lambda: time.monotonic() > ends_s, _OPCODES_BETWEEN_CHECKS)
    try:
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return
        raise
    finally:
        connection.set_progress_handler(None, 0)
    if problem != "ok":
        raise Corrupt(f"quick_check: {problem}")


def _last_commit_frame(wal: Path, *, whole: bool = False) -> int:
    """With `whole` only frames count whose checksums, and those of all before them, are right."""
    with wal.open("rb") as file:
        header = file.read(_WAL_HEADER_BYTES)
        if len(header) < _WAL_HEADER_BYTES:
            return 0
        page_bytes, salts, order = _wal_header(wal, header)
        sums: tuple[int, int] = struct.unpack(">2I", header[24:])
        frame_bytes = _FRAME_HEADER_BYTES + page_bytes
        frames = (wal.stat().st_size - _WAL_HEADER_BYTES) // frame_bytes
        last = 0
        for frame in range(1, frames + 1):
            file.seek(_WAL_HEADER_BYTES + (frame - 1) * frame_bytes)
            head = file.read(_FRAME_HEADER_BYTES)
            _, pages_after_commit, *frame_salts, sum_1, sum_2 = struct.unpack(">6I", head)
            if whole:
                covered = head[:8] + file.read(page_bytes)
                sums = _wal_checksum(struct.unpack(f"{order}{len(covered) // 4}I", covered), *sums)
                if tuple(frame_salts) != salts or sums != (sum_1, sum_2):
                    break
            if pages_after_commit and tuple(frame_salts) == salts:
                last = frame
        return last


def _wal_header(wal: Path, header: bytes) -> tuple[int, tuple[int, int], str]:
    """Bytes of a page, the salts, and the byte order of the checksums."""
    magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = struct.unpack(">8I", header)
    order = _WAL_MAGICS.get(magic)
    if order is None or _wal_checksum(struct.unpack(f"{order}6I", header[:24])) != (sum_1, sum_2):
        raise Corrupt(f"{wal}: has a damaged header")
    return page_bytes, (salt_1, salt_2), order


def _wal_checksum(words: tuple[int, ...], first: int = 0, second: int = 0) -> tuple[int, int]:
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = first + even + second & 0xFFFFFFFF
        second = second + odd + first & 0xFFFFFFFF
    return first, second


def _head(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
