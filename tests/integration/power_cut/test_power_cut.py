"""F10: the power is cut at any instant; what was accepted, journalled or receipted before it is there afterwards.

The product's stores run under strace, which records every write and sync with its bytes. From that the files are laid
down as a disk might hold them at some instant, opened by the product again, and compared with what the world had been
told by then. Without synchronous=FULL the same comparison finds losses, so it can fail.
"""

import asyncio
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.signer.ledger import Ledger
from agent.spool import Spool
from controller.journal.audit import verify
from controller.storage.sqlite.journal_log import SqliteLogFile
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared.errors import BesError
from shared.wire.event import Event, EventBatch
from shared.wire.record import RecordKind

from .disk import instants, lay_down, receipts_before
from .trace import record

WRITER = Path(__file__).with_name("writer.py")
CUTS = 40
FILES = {
    "spool": ("spool.db", "spool.db-wal", "spool.witness"),
    "journal": ("journal.db", "journal.db-wal"),
    "telemetry": ("telemetry.db", "telemetry.db-wal"),
    "ledger": ("ledger.db", "ledger.db-wal"),
}
Receipts = list[tuple[str, ...]]


def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not strace_works(), reason="strace is not installed, or may not trace here"),
]


async def spool_after(folder: Path, receipts: Receipts) -> list[str]:
    """What the spool no longer has although it said so, or gives out again."""
    spool = Spool(folder, machine_id="test")
    await spool.open()
    while (await spool.stats()).salvaging:
        await asyncio.sleep(0.005)
    held = {
        (lane.epoch, row.seq)
        for lane in await spool.lanes()
        for row in await spool.rows_after(0, 10_000, epoch=lane.epoch)
    }
    released = max((int(words[2]) for words in receipts if words[0] == "release"), default=0)
    accepted = {(words[1], int(words[2])) for words in receipts if words[0] == "accepted"}
    lost = [f"record {seq} of {epoch}" for epoch, seq in accepted - held if seq > released]
    batch = EventBatch(events=(Event(1, "test", "d", 0, ""),))
    if (spool.epoch, await spool.append(RecordKind.EVENT, batch, 1)) in accepted:
        lost.append("a number that was given out before")
    await spool.close()
    return lost


async def journal_after(folder: Path, receipts: Receipts) -> list[str]:
    log = SqliteLogFile(folder / "journal.db")
    try:
        damage = verify(log).damage
        stored = {event.position: event.digest.hex() for event in log.events()}
    finally:
        log.close()
    appended = {int(position): digest for _, position, digest in receipts}
    lost = [f"event {position}" for position, digest in appended.items() if stored.get(position) != digest]
    return lost if damage is None else [*lost, damage.problem]


async def telemetry_after(folder: Path, receipts: Receipts) -> list[str]:
    async with SqliteTelemetry(folder / "telemetry.db") as store:
        rows = await store.inbox(10_000)
    stored = [row.seq for row in rows]
    marks = [int(mark) for _, mark in receipts]
    lost = [f"record {seq}" for seq in range(1, max(marks) + 1) if seq not in stored]
    return lost + ([] if len(stored) == len(set(stored)) else ["a record is there twice"])


async def ledger_after(folder: Path, receipts: Receipts) -> list[str]:
    ledger = Ledger(folder / "ledger.db", box_id="test", boot_id="test", accept_torn_end=True)
    await ledger.open()  # verifies every row
    stored = {entry.txid: entry.digest.hex() for entry in await ledger.after(0, 10_000)}
    await ledger.close()
    return [f"debit {txid}" for _, txid, digest in receipts if stored.get(txid) != digest]


AFTER: dict[str, Callable[[Path, Receipts], Awaitable[list[str]]]] = {
    "spool": spool_after,
    "journal": journal_after,
    "telemetry": telemetry_after,
    "ledger": ledger_after,
}


async def losses(store: str, synchronous: str, folder: Path) -> dict[int, list[str]]:
    """By instant of the cut, what was lost; only instants where something was."""
    operations = record(WRITER, folder / store, FILES[store], store, synchronous)
    draw = random.Random(f"{store} {synchronous}")
    found: dict[int, list[str]] = {}
    for instant in instants(operations, CUTS, draw):
        place = folder / f"cut-{instant}"
        lay_down(operations, instant, place, draw)
        try:
            lost = await AFTER[store](place, receipts_before(operations, instant))
        except (BesError, sqlite3.Error) as error:
            lost = [f"it does not open: {error}"]
        if lost:
            found[instant] = lost
        shutil.rmtree(place)
    return found


@pytest.mark.parametrize("store", FILES)
async def test_a_power_cut_loses_nothing_that_was_answered(store, tmp_path):
    assert await losses(store, "FULL", tmp_path) == {}


@pytest.mark.parametrize("store", FILES)
@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
async def test_with_less_than_full_synchronisation_the_same_cuts_lose_something(store, synchronous, tmp_path):
    assert await losses(store, synchronous, tmp_path) != {}
