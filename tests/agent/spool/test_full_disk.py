"""F8: the newest values always survive; the oldest telemetry is thinned out, and a gap record says so."""

import shutil
import subprocess
from pathlib import Path

import pytest

from shared.errors import StorageFull
from shared.wire.codec import unpack
from shared.wire.event import EventBatch
from shared.wire.record import GapBatch, RecordKind

BIG = 6000


async def accounted(spool) -> tuple[set[int], set[int]]:
    held = {row.seq for row in await spool.rows_after(0, 100_000)}
    gone = {
        seq
        for row in await spool.gap_records()
        for gap in unpack(row.body, GapBatch).gaps
        for seq in range(gap.from_seq, gap.to_seq + 1)
    }
    return held, gone


async def test_a_spool_at_its_limit_thins_out_the_oldest_and_keeps_the_newest(open_spool, append):
    spool = await open_spool(max_bytes=1 << 20, thin_rows=32)
    await append(spool, 5, kind=RecordKind.RESULT, size=BIG)
    await append(spool, 500, size=BIG)
    stats = await spool.stats()
    assert stats.space_low
    assert stats.bytes_used <= 1 << 20
    held, gone = await accounted(spool)
    assert held | gone == set(range(1, stats.highest_seq + 1))
    assert not held & gone
    assert {1, 2, 3, 4, 5} <= held  # outcomes are not telemetry
    assert stats.highest_seq in held
    reasons = {g.reason for row in await spool.gap_records() for g in unpack(row.body, GapBatch).gaps}
    assert reasons == {"disk_full_downsampled"}


async def test_the_alarm_clears_when_there_is_room_again(open_spool, append):
    spool = await open_spool(max_bytes=1 << 20, thin_rows=32)
    await append(spool, 300, size=BIG)
    assert (await spool.stats()).space_low
    await spool.release(spool.epoch, (await spool.stats()).highest_seq)
    await append(spool, 1)
    assert not (await spool.stats()).space_low
    rows = await spool.rows_after(0, 10)
    events = [e for row in rows if row.kind == RecordKind.EVENT for e in unpack(row.body, EventBatch).events]
    assert [(e.code, e.active) for e in events if e.code.startswith("spool")] == [("spool.space-low", False)]


async def test_a_spool_full_of_what_must_stay_refuses_clearly(open_spool, append):
    spool = await open_spool(max_bytes=300_000)
    with pytest.raises(StorageFull, match="raise the limit"):
        await append(spool, 500, kind=RecordKind.EVENT, size=BIG)
    held = await spool.rows_after(0, 1000)
    await spool.release(spool.epoch, held[-1].seq)
    await append(spool, 1, kind=RecordKind.EVENT, size=BIG)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of its own of three megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_disk_filled_by_others_costs_the_ballast_and_heals(small_disk, open_spool, append):
    spool = await open_spool(small_disk / "spool", ballast_bytes=400_000, thin_rows=32)
    await append(spool, 100, size=BIG)
    assert (await spool.stats()).ballast
    foreign = small_disk / "foreign"
    with foreign.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    assert shutil.disk_usage(small_disk).free == 0

    await append(spool, 200, size=BIG)
    stats = await spool.stats()
    held, gone = await accounted(spool)
    assert held | gone == set(range(1, stats.highest_seq + 1))
    assert not held & gone
    assert stats.highest_seq in held
    assert not stats.ballast

    foreign.unlink()
    assert (await spool.stats()).ballast
    await spool.close()
    again = await open_spool(small_disk / "spool", ballast_bytes=400_000)
    assert again.epoch == spool.epoch


async def test_a_spool_opens_on_a_full_disk(small_disk, open_spool, append):
    spool = await open_spool(small_disk / "spool", ballast_bytes=400_000)
    await append(spool, 20, size=BIG)
    await spool.close()
    with (small_disk / "foreign").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    again = await open_spool(small_disk / "spool", ballast_bytes=400_000, thin_rows=8)
    assert again.epoch == spool.epoch
    await append(again, 20, size=BIG)
    held, gone = await accounted(again)
    assert held | gone == set(range(1, 1 + max(held)))
