"""The machine and the process, by psutil."""

from pathlib import Path

import msgspec
import psutil

MEBIBYTE = 1 << 20


class HostLoad(msgspec.Struct, frozen=True):
    cpu_pct: float
    memory_pct: float
    rss_mb: float
    disk_free_mb: float


class Host:
    """CPU is the share since the last call, over all cores."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory
        self._process = psutil.Process()
        psutil.cpu_percent()

    def load(self) -> HostLoad:
        return HostLoad(
            cpu_pct=psutil.cpu_percent(),
            memory_pct=psutil.virtual_memory().percent,
            rss_mb=self._process.memory_info().rss / MEBIBYTE,
            disk_free_mb=psutil.disk_usage(str(self._directory)).free / MEBIBYTE,
        )
