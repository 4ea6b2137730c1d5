"""`kill -9` at every step: what was written stays, what was begun ends, and one transaction leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.journal.audit import verify
from controller.storage.sqlite.journal_log import SqliteLogFile

ROUNDS = int(os.environ.get("BES_SIGNING_KILLS", "45"))  # per contract; the steps of a payment are about forty


@pytest.mark.parametrize("name", ["vault", "operating"])
def test_killed_at_every_step_a_payment_still_ends_once(tmp_path: Path, name: str) -> None:
    words = ["-m", "tests.controller.signing.killed", str(tmp_path), name, str(ROUNDS), "7"]
    run = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=110, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    assert len(found) == ROUNDS
    assert sum(one["killed"] for one in found) >= ROUNDS // 2
    for one in found:
        assert one["ended"] == 0, one  # nothing is stuck
        assert one["sent"] == 1, one  # and one transaction was broadcast, whatever happened
        log = SqliteLogFile(tmp_path / str(one["step"]) / "journal.db")
        assert verify(log).damage is None
        log.close()
