"""The units as systemd itself judges them, without a running systemd."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted(Path("systemd").glob("*.service"))
EXPOSURE_TENTHS = 15

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_there_is_a_unit_for_each_role():
    assert [unit.stem for unit in UNITS] == ["bes-agent", "bes-controller", "bes-signer"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_exposure_stays_below_the_threshold(unit):
    judged = run("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", str(unit))
    assert judged.returncode == 0, judged.stdout


def test_the_gate_can_fail(tmp_path):
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert run("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", str(bare)).returncode != 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_every_line(unit, tmp_path):
    role = unit.stem.removeprefix("bes-")
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace(f"/opt/bes/{role}/bin/bes", "/bin/true"))
    verified = run("verify", str(here))
    about_us = [line for line in verified.stderr.splitlines() if here.name in line or str(here) in line]
    assert about_us == []
    assert verified.returncode == 0, verified.stderr
