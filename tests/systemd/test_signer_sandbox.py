"""What a box does, done under the system call filter of its unit."""

import os
import shutil
import subprocess
import sys
from ctypes.util import find_library

import pytest

UNIT = "systemd/bes-signer.service"
NEEDED = ("systemd-analyze", "softhsm2-util")

pytestmark = pytest.mark.skipif(
    find_library("seccomp") is None or not all(map(shutil.which, NEEDED)),
    reason=f"libseccomp or one of {NEEDED} is not installed",
)

BOX = """
import asyncio, sys
from pathlib import Path
import agent.signer_app
from agent.signer.clock import Checkpoint, ClockSettings, HeaderClock
from agent.signer.keystore import HsmKeys, Pin, Token, harden
from agent.signer.ledger import Ledger
from shared.bitcoin.kernel import Judge
from shared.bitcoin.network import Network
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.clock import SystemClock
from tests.softhsm import PIN, SoftHsm

GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
folder = Path(sys.argv[1])

async def ledger():
    opened = Ledger(folder / "ledger.db", box_id="b" * 16, boot_id="boot")
    await opened.open()
    await opened.close()

reached = harden()
assert reached.not_dumpable and reached.no_core, reached
with SoftHsm(folder / "hsm") as hsm, Token(hsm.add_token(), Pin(PIN)) as token:
    keys = HsmKeys(token)
    keys.sign(keys.generate("a1", "bes-a1"), bytes(32))
asyncio.run(ledger())
clock = HeaderClock(folder / "headers", ClockSettings(Network.REGTEST, Checkpoint(0, GENESIS)), SystemClock())
clock.open()
clock.close()
anyone = TxOut(1000, b"\x51")
spend = Transaction(2, (TxIn(OutPoint("11" * 32, 0)),), (TxOut(900, b"\x51"),), 0)
with Judge() as judge:
    verdict = judge.accepts(spend.raw, [anyone])
    assert verdict.ok, verdict
print("signed, debited, judged")
"""


def confined(*program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tests/systemd/sandbox.py", UNIT, sys.executable, *program]
    environment = os.environ | {"PYTHONPATH": "."}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, env=environment)


def test_a_box_works_under_its_filter(tmp_path):
    ran = confined("-c", BOX, str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "signed, debited, judged"


def test_the_filter_holds():
    ran = confined("-c", "import os; os.nice(1)")
    assert "PermissionError" in ran.stderr
