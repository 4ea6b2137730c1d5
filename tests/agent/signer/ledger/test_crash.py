"""`kill -9` at any instant: what was signed was debited, once, and is in the ledger."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.signer.ledger import EntryKind, Ledger
from shared.errors import StorageUnavailable
from tests.agent.signer.ledger.scene import CONTRACT, LIMITS, START, spend

SCRIPT = Path(__file__).with_name("debiting.py")
ROOT = Path(__file__).parents[4]
KILLS = 12


def run_and_kill(path: Path, lines: int, draw: random.Random) -> list[tuple[str, ...]]:
    """What it had told the world when it died, somewhere after so many lines."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(lines)]
    try:
        process.wait(timeout=draw.random() * 0.02)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    whole = [*told, *(line for line in rest.splitlines(keepends=True))]
    return [tuple(line.decode().split()) for line in whole if line.endswith(b"\n")]


async def test_no_kill_loses_a_debit_that_was_answered(tmp_path: Path) -> None:
    path, draw = tmp_path / "ledger.db", random.Random(7)
    seen: dict[str, tuple[str, ...]] = {}
    for _ in range(KILLS):
        for line in run_and_kill(path, draw.randrange(1, 60), draw):
            seen[line[1]] = line
        ledger = Ledger(path, box_id="box-a", boot_id="boot-1")
        await ledger.open()  # verifies the whole chain
        debits = await ledger.all_of(EntryKind.DEBIT, CONTRACT)
        await ledger.close()
        stored = {entry.txid: (str(entry.seq), entry.txid, entry.digest.hex()) for entry in debits}
        assert {txid: stored.get(txid) for txid in seen} == seen
        assert len(stored) == len(debits)
        assert debits[-1].spent_sat == sum(entry.debit_sat for entry in debits)
    assert len(seen) > KILLS


async def test_a_program_that_keeps_the_ledger_open_over_a_kill_delays_the_start_and_nothing_is_written_over(
    tmp_path: Path,
) -> None:
    """Killed after its commit was in the log, before that stood in the log's index, which outlives it by a reader."""
    path = tmp_path / "ledger.db"

    async def debited(number: int) -> None:
        ledger = Ledger(path, box_id="box-a", boot_id="boot-1")
        await ledger.open()
        await ledger.debit(spend(number), LIMITS, START)
        await ledger.close()

    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rwc", uri=True)) as reader:
        await debited(1)
        reader.execute("SELECT count(*) FROM entry").fetchone()
        index = tmp_path / "ledger.db-shm"
        before = index.read_bytes()
        await debited(2)
        with index.open("r+b") as file:
            file.write(before)
        log = (tmp_path / "ledger.db-wal").read_bytes()
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match="end that one and start again"):
                await debited(3)
        assert (tmp_path / "ledger.db-wal").read_bytes() == log
        copy = {suffix: path.with_name(f"ledger.db{suffix}").read_bytes() for suffix in ("", "-wal")}
    for suffix, kept in copy.items():
        path.with_name(f"ledger.db{suffix}").write_bytes(kept)
    ledger = Ledger(path, box_id="box-a", boot_id="boot-1")
    await ledger.open()
    assert len(await ledger.all_of(EntryKind.DEBIT, CONTRACT)) == 2
    await ledger.close()
