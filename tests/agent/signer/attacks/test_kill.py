"""kill -9 in the middle of signing: every answer that left stands in the ledger, and every signature has its debit."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.signer.ledger import EntryKind
from shared.bitcoin.psbt.psbt import Psbt
from tests.agent.signer.attacks.box_that_dies import MOMENTS, opened, request_of

ROOT = Path(__file__).parents[4]
LIVES = 4


def live_and_die(folder: Path, first: int, seconds: float) -> list[list[str]]:
    """What a box told in one life, which ends without a warning."""
    command = [sys.executable, "-m", "tests.agent.signer.attacks.box_that_dies", str(folder), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline()]  # it lives
        time.sleep(seconds)
        process.kill()
        told += process.stdout.readlines()
    return [line.split() for line in told if line.endswith("\n")]


def die_at_moment(folder: Path, moment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.agent.signer.attacks.box_that_dies", str(folder), "0", moment]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)


async def test_no_signature_without_a_debit_and_no_answer_lost(tmp_path):
    random.seed(7)
    told: dict[str, list[str]] = {}
    for life in range(LIVES):
        for line in live_and_die(tmp_path, life * 1000, random.uniform(0.0, 0.3)):
            told[line[0]] = line
    box = await opened(tmp_path)
    await box.ledger.verify()
    debits = {row.txid for row in await box.rows() if row.kind == EntryKind.DEBIT}
    assert len(told) >= LIVES
    for request_id, (_, outcome, seq, psbt) in told.items():
        assert outcome == "signed"
        assert Psbt.parse(bytes.fromhex(psbt)).txid in debits
        again = await box.sessions.answer(request_of(box, int(request_id.removeprefix("request-")) - 1))
        assert (again.ledger_seq, again.psbt.hex()) == (int(seq), psbt)
    debited = len(debits)
    unanswered = [
        row.request_id for row in await box.rows() if row.kind == EntryKind.DEBIT and row.request_id not in told
    ]
    for request_id in unanswered:
        resumed = await box.sessions.answer(request_of(box, int(request_id.removeprefix("request-")) - 1))
        assert resumed.outcome == "signed"
    rows = await box.rows()
    assert len([row for row in rows if row.kind == EntryKind.DEBIT]) == debited, "resumed, and not debited again"
    await box.close()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_whoever_dies_between_debit_and_answer_answers_after_the_next_start(tmp_path, moment):
    """The one instant that a random kill may miss: debited, and killed before, while or after it signed."""
    died = die_at_moment(tmp_path, moment)
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "")
    box = await opened(tmp_path)
    rows = await box.rows()
    request = request_of(box, 0)
    assert [row.kind for row in rows if row.request_id == request.request_id] == [EntryKind.DEBIT.value]
    answer = await box.sessions.answer(request)
    assert (answer.outcome, answer.detail) == ("signed", "")
    assert await box.sessions.answer(request) == answer
    debits = [row for row in await box.rows() if row.kind == EntryKind.DEBIT]
    assert debits == [row for row in rows if row.kind == EntryKind.DEBIT], "not debited again"
    await box.close()
