"""On what a benchmark ran: without it a figure says nothing."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("bitcoin-enterprise-suite", "msgspec", "numpy", "paho-mqtt", "pyasic", "pymodbus")


def conditions(**more: object) -> dict[str, object]:
    """The machine, how busy it was, and the versions that matter; `more` is what this benchmark adds."""
    found: dict[str, object] = {
        "cpu": _cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_1m": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }
    return found | more


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
