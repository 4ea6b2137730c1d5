"""What is installed on a site is the wheel, not this checkout: it must hold everything and work from anywhere."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(build, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, program: str, *modules: str) -> str:
    environment = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program, *modules],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_data_file_of_a_package_travels(installed):
    packages = ("agent", "controller", "shared", "hardware_sims")
    kinds = {".sql", ".js", ".css", ".toml", ".html", ".typed"}
    missing = [
        str(path)
        for package in packages
        for path in Path(package).rglob("*")
        if path.suffix in kinds and not (installed / path).is_file()
    ]
    assert missing == []


def test_device_profiles_are_found_in_the_wheel(installed):
    program = "import shared.profiles as profiles; print(profiles.__file__, len(profiles.load_all()))"
    file, count = run(installed, program).split()
    assert str(installed) in file
    assert int(count) >= 10


@pytest.mark.parametrize("module", ["agent.site_app", "agent.signer_app", "controller.app", "hardware_sims.cli"])
def test_each_role_starts_from_the_wheel(installed, module):
    program = "import sys, importlib; print(importlib.import_module(sys.argv[1]).__file__)"
    assert str(installed) in run(installed, program, module)
