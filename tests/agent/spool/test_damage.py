"""F9: whatever happened to the file, the spool opens at once, and what can be read comes back under its old numbers."""

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from agent.spool.integrity import check_files
from agent.spool.salvage import holes
from shared.errors import Corrupt
from shared.wire.codec import unpack
from shared.wire.event import EventBatch
from shared.wire.record import Gap, GapBatch, RecordKind

ROWS = 60


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def break_header(folder: Path) -> None:
    overwrite(folder / "spool.db", 0, b"\xff" * 100)


def break_first_page(folder: Path) -> None:
    overwrite(folder / "spool.db", 0, bytes(4096))


def break_middle_page(folder: Path) -> None:
    size = (folder / "spool.db").stat().st_size
    overwrite(folder / "spool.db", size // 2 // 4096 * 4096, b"\xa5" * 4096)


def cut_in_half(folder: Path) -> None:
    size = (folder / "spool.db").stat().st_size
    with (folder / "spool.db").open("r+b") as file:
        file.truncate(size // 2)


def empty(folder: Path) -> None:
    (folder / "spool.db").write_bytes(b"")


def remove(folder: Path) -> None:
    (folder / "spool.db").unlink()


async def crashed_copy(spool, folder: Path) -> Path:
    """The files as a kill -9 leaves them: the log not yet merged."""
    copy = folder.parent / "crashed"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm"))
    await spool.close()
    return copy


async def everything(spool, epoch: str) -> tuple[set[int], set[int], list[Gap]]:
    """(numbers that came back, numbers declared gone, the gaps) of an old epoch."""
    await asyncio.to_thread(spool._rescue._thread.join)
    rows = {row.seq for row in await spool.rows_after(0, 10_000, epoch=epoch)}
    gaps = [gap for row in await spool.gap_records() for gap in unpack(row.body, GapBatch).gaps if gap.epoch == epoch]
    return rows, {seq for gap in gaps for seq in range(gap.from_seq, gap.to_seq + 1)}, gaps


@pytest.mark.parametrize(
    ("damage", "at_least"),
    [
        (break_header, ROWS),
        (break_first_page, ROWS),
        (break_middle_page, ROWS - 12),
        (cut_in_half, ROWS // 3),
        (empty, 0),
        (remove, 0),
    ],
)
async def test_a_damaged_file_is_set_aside_and_every_number_is_accounted_for(
    open_spool, append, tmp_path, damage, at_least
):
    spool = await open_spool()
    await append(spool, ROWS, size=3000)
    await spool.close()
    damage(tmp_path / "spool")

    started_s = time.monotonic()
    again = await open_spool()
    await append(again, 1)
    assert time.monotonic() - started_s < 5
    assert again.epoch != spool.epoch

    rows, gone, gaps = await everything(again, spool.epoch)
    assert rows | gone == set(range(1, ROWS + 1))
    assert not rows & gone
    assert len(rows) >= at_least
    assert {gap.reason for gap in gaps} <= {"corruption"}
    events = [
        event
        for row in await again.rows_after(0, 10)
        if row.kind == RecordKind.EVENT
        for event in unpack(row.body, EventBatch).events
    ]
    alarms = [(event.code, event.active) for event in events if event.code.startswith("spool.")]
    assert alarms == [("spool.damaged", True), ("spool.damaged", False)]


async def test_a_log_with_a_flipped_bit_is_noticed_although_sqlite_opens_it(open_spool, append, tmp_path):
    spool = await open_spool()
    await append(spool, 30, size=400)
    copy = await crashed_copy(spool, tmp_path / "spool")
    wal = copy / "spool.db-wal"
    assert check_files(copy / "spool.db") > 10
    overwrite(wal, wal.stat().st_size // 2, b"\xff\xff\xff")
    again = await open_spool(copy)
    assert again.epoch != spool.epoch
    rows, gone, _ = await everything(again, spool.epoch)
    assert rows | gone >= set(range(1, 31))
    assert not rows & gone


async def test_a_log_with_a_broken_header_is_noticed(open_spool, append, tmp_path):
    spool = await open_spool()
    await append(spool, 3)
    copy = await crashed_copy(spool, tmp_path / "spool")
    overwrite(copy / "spool.db-wal", 4, b"\xff")
    with pytest.raises(Corrupt, match="damaged header"):
        check_files(copy / "spool.db")
    assert (await open_spool(copy)).epoch != spool.epoch


async def test_an_empty_database_above_a_full_log_gives_its_rows_back(open_spool, append, tmp_path):
    spool = await open_spool()
    await append(spool, 5)
    copy = await crashed_copy(spool, tmp_path / "spool")
    (copy / "spool.db").write_bytes(b"")
    again = await open_spool(copy)
    rows, gone, _ = await everything(again, spool.epoch)
    assert rows == {1, 2, 3, 4, 5}
    assert not rows & gone


async def test_an_untouched_crash_is_no_damage(open_spool, append, tmp_path):
    spool = await open_spool()
    await append(spool, 30, size=400)
    copy = await crashed_copy(spool, tmp_path / "spool")
    again = await open_spool(copy)
    assert again.epoch == spool.epoch
    assert len(await again.rows_after(0, 100)) == 30


async def test_a_file_that_breaks_while_in_use_is_replaced(open_spool, append, tmp_path):
    spool = await open_spool()
    await append(spool, ROWS, size=3000)
    old = spool.epoch

    def tear(connection):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        break_middle_page(tmp_path / "spool")
        connection.execute("PRAGMA cache_size=1")
        connection.execute("PRAGMA shrink_memory")

    await asyncio.to_thread(spool._file.committer.maintain, tear)
    read = 0
    while spool.epoch == old:
        rows = await spool.rows_after(read, 10, epoch=old)
        read = rows[-1].seq if rows else 0
    rows, gone, _ = await everything(spool, old)
    assert rows | gone >= set(range(1, ROWS + 1))
    await append(spool, 1)


async def test_wrecks_are_kept_but_not_for_ever(open_spool, append, tmp_path):
    for _ in range(5):
        spool = await open_spool()
        await append(spool, 1)
        if spool._rescue is not None:
            await asyncio.to_thread(spool._rescue._thread.join)
        await spool.close()
        break_header(tmp_path / "spool")
    spool = await open_spool()
    await asyncio.to_thread(spool._rescue._thread.join)
    assert len(list((tmp_path / "spool" / "quarantine").iterdir())) == 3


def test_holes():
    assert [(gap.from_seq, gap.to_seq) for gap in holes("e", 3, 9, [4, 5, 8])] == [(3, 3), (6, 7), (9, 9)]
    assert list(holes("e", 1, 2, [1, 2])) == []
    assert list(holes("e", 1, 0, [])) == []
