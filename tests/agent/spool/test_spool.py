"""The spool in good times: numbers, order, release, clones."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shared.errors import NotAddressed, StorageUnavailable, WireError
from shared.wire.codec import unpack
from shared.wire.event import EventBatch
from shared.wire.record import Gap, GapBatch, RecordKind


async def test_numbers_rise_from_one_and_rows_come_back_in_order(open_spool, append):
    spool = await open_spool()
    await append(spool, 5)
    rows = await spool.rows_after(2, 2)
    assert [(row.epoch, row.seq, row.kind) for row in rows] == [(spool.epoch, 3, 1), (spool.epoch, 4, 1)]
    assert unpack(rows[0].body, EventBatch).events[0].at_ms == 2


async def test_many_producers_share_commits_and_lose_nothing(open_spool, append):
    spool = await open_spool()
    await asyncio.gather(*(append(spool, 1) for _ in range(200)))
    assert [row.seq for row in await spool.rows_after(0, 1000)] == list(range(1, 201))
    assert (await spool.stats()).rows == 200


async def test_append_sets_the_event_that_the_drain_waits_for(open_spool, append):
    spool = await open_spool()
    spool.appended.clear()
    await append(spool, 1)
    assert spool.appended.is_set()


async def test_release_deletes_up_to_the_mark_and_repeats_harmlessly(open_spool, append):
    spool = await open_spool()
    await append(spool, 5)
    assert await spool.release(spool.epoch, 3) == 3
    assert await spool.release(spool.epoch, 3) == 0
    assert await spool.release(spool.epoch, 1) == 0
    stats = await spool.stats()
    assert (stats.lowest_seq, stats.highest_seq, stats.rows) == (4, 5, 2)


async def test_numbers_go_on_after_the_spool_was_drained_and_reopened(open_spool, append):
    spool = await open_spool()
    await append(spool, 3)
    await spool.release(spool.epoch, 3)
    epoch = spool.epoch
    await spool.close()
    again = await open_spool()
    assert again.epoch == epoch
    assert await again.append(RecordKind.EVENT, EventBatch(), 0) == 4


@pytest.mark.parametrize(("epoch", "mark"), [(None, 6), ("f" * 32, 1)])
async def test_refuses_a_receipt_that_cannot_be_its_own(open_spool, append, epoch, mark):
    spool = await open_spool()
    await append(spool, 5)
    with pytest.raises(NotAddressed):
        await spool.release(epoch or spool.epoch, mark)
    assert (await spool.stats()).rows == 5


async def test_refuses_a_message_that_no_record_can_carry(open_spool):
    class Blob(msgspec.Struct, array_like=True):
        data: bytes

    spool = await open_spool()
    noise = b"".join(bytes([value * value % 251]) for value in range(256))
    with pytest.raises(WireError, match="a record holds"):
        await spool.append(RecordKind.EVENT, Blob(__import__("random").Random(1).randbytes(1 << 20) + noise), 1)


async def test_a_gap_is_a_record_and_is_listed_first(open_spool, append):
    spool = await open_spool()
    await append(spool, 2)
    gap = Gap(spool.epoch, 1, 1, 7, "operator", 10, 20)
    assert await spool.gap(gap) == 3
    (record,) = await spool.gap_records()
    assert unpack(record.body, GapBatch).gaps == (gap,)


async def test_a_row_with_a_flipped_bit_is_never_sent_and_becomes_a_gap_of_one(open_spool, append, tmp_path):
    spool = await open_spool()
    await append(spool, 3)
    await spool.close()
    with sqlite3.connect(tmp_path / "spool" / "spool.db") as file:
        file.execute("UPDATE record SET body = CAST(x'00' || substr(body, 2) AS BLOB) WHERE seq = 2")
    file.close()
    again = await open_spool()
    assert [row.seq for row in await again.rows_after(0, 10)] == [1, 3]
    (record,) = await again.gap_records()
    assert unpack(record.body, GapBatch).gaps == (Gap(again.epoch, 2, 2, None, "corruption", None, None),)
    assert [row.seq for row in await again.rows_after(0, 10)] == [1, 3, 4]


async def test_a_cloned_disk_starts_its_own_epoch_and_keeps_the_rows_under_the_old_one(open_spool, append, tmp_path):
    spool = await open_spool()
    await append(spool, 3)
    await spool.release(spool.epoch, 1)
    await spool.close()
    shutil.copytree(tmp_path / "spool", tmp_path / "clone")
    clone = await open_spool(tmp_path / "clone", machine_id="another")
    await asyncio.to_thread(clone._rescue._thread.join)
    assert clone.epoch != spool.epoch
    present, old = await clone.lanes()
    assert (old.epoch, old.released, old.highest_seq, old.rows, old.salvaged) == (spool.epoch, 1, 3, 2, True)
    assert [row.seq for row in await clone.rows_after(0, 10, epoch=spool.epoch)] == [2, 3]
    assert await clone.gap_records() == []
    assert await clone.release(spool.epoch, 3) == 2
    assert [lane.epoch for lane in await clone.lanes()] == [present.epoch]


async def test_stats_tell_age_and_worst_fsync(open_spool, append):
    spool = await open_spool()
    await append(spool, 1)
    stats = await spool.stats()
    assert 0 <= stats.oldest_age_s < 60
    assert stats.worst_fsync_s > 0
    assert stats.bytes_used > 0


async def test_a_closed_spool_says_so(open_spool, append):
    spool = await open_spool()
    await spool.close()
    with pytest.raises(StorageUnavailable):
        await append(spool, 1)


KILLED = """
import asyncio, pathlib, sys
from agent.spool import Spool
from shared.wire.event import EventBatch
from shared.wire.record import RecordKind

async def main():
    spool = Spool(pathlib.Path(sys.argv[1]), machine_id="m")
    await spool.open()
    async def produce():
        while True:
            seq = await spool.append(RecordKind.EVENT, EventBatch(), 0)
            print(f"{spool.epoch} {seq}", flush=True)
    await asyncio.gather(*(produce() for _ in range(20)))

asyncio.run(main())
"""


def accepted_until_killed(folder: Path, lines: int) -> set[str]:
    """Run a producer, kill -9 it after so many lines; all that it was told to be accepted."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, folder], stdout=subprocess.PIPE, text=True)
    accepted = {process.stdout.readline().strip() for _ in range(lines)}
    process.kill()
    accepted.update(line.strip() for line in process.stdout if line.endswith("\n"))
    process.wait()
    process.stdout.close()
    return accepted


async def test_kill_9_loses_nothing_that_was_accepted(open_spool, tmp_path):
    accepted: set[str] = set()
    for lines in (1, 200, 500):
        accepted |= await asyncio.to_thread(accepted_until_killed, tmp_path / "spool", lines)
    spool = await open_spool(machine_id="m")
    held = {f"{row.epoch} {row.seq}" for row in await spool.rows_after(0, 1_000_000)}
    assert accepted <= held
    assert len({line.split()[0] for line in accepted}) == 1  # never a new epoch over a mere kill
