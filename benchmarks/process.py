"""A process of the product that a benchmark starts, weighs and stops."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from shared.errors import GatewayUnavailable

STOP_S = 15.0
_BES = "import sys; from shared.cli import main; sys.exit(main())"


class Child:
    """Runs `python arguments` on `cores`. What it writes goes to `log`, except standard output, which is `lines`.

    A context manager: at the end the process gets SIGTERM, then SIGKILL.
    """

    def __init__(self, arguments: Sequence[str], *, log: Path, cores: Sequence[int] = ()) -> None:
        self._log_path = log
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=self._log, stdin=subprocess.DEVNULL, text=True
        )
        if cores:
            os.sched_setaffinity(self.process.pid, cores)
        self._weighed = psutil.Process(self.process.pid)

    def line(self) -> str:
        """The next line that it prints. GatewayUnavailable where it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(STOP_S)
            tail = self._log_path.read_text(encoding="utf-8", errors="replace")[-800:]
            raise GatewayUnavailable(f"the process ended with code {self.process.returncode}: {tail.strip()}")
        return line

    def rss_mb(self) -> float:
        """Resident memory of the process itself."""
        return self._weighed.memory_info().rss / 1e6

    def children_rss_mb(self) -> float:
        """Resident memory of what it has started, all levels."""
        total = 0
        for child in self._weighed.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                total += child.memory_info().rss
        return total / 1e6

    def cpu_s(self) -> float:
        """CPU seconds of the process itself since its start."""
        times = self._weighed.cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def bes(word: str, *arguments: str) -> list[str]:
    """The arguments of Python that run `bes word arguments`."""
    return ["-c", _BES, word, *arguments]


def core_pair() -> tuple[list[int], list[int]]:
    """(one core for what is measured, all others for what surrounds it); both the same where there is one core."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[:1], cores[1:] or cores
