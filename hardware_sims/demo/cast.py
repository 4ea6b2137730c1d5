"""The processes of a demo: each with its own log file, each stopped by its own pid."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.errors import GatewayUnavailable

STOP_S = 15.0
START_S = 60.0
BES = "import sys; from shared.cli import main; sys.exit(main())"


class Actor:
    """One `bes` process."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        log: Path,
        *,
        answers: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._log = log
        self._answers = answers
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def start(self) -> None:
        """Where it answers, wait for its one line of JSON."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-c", BES, *self._arguments],
                stdout=subprocess.PIPE if self._answers else log,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
            )
        if self._answers:
            self.ready = json.loads(self._first_line())

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """As a power cut would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close()

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def _close(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise GatewayUnavailable(f"{self.name} did not start; see {self._log}")
        return line
