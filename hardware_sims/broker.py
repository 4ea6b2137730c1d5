"""A mosquitto of its own on a loopback port, set up as edge sites set it up: for tests, benchmarks and the demo."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.errors import GatewayUnavailable, SettingMissing

_CONFIG = """\
listener {port} {host}
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 100000
max_queued_bytes 268435456
max_packet_size 2097152
max_connections 1000
log_type error
"""
_START_S = 5.0
_SAID_CHARACTERS = 500
_SEARCH_PATH = "/usr/sbin:/usr/local/sbin"  # where Debian and others put it, often not in a user's PATH


def mosquitto_program() -> str:
    """Path of the program; SettingMissing says how to get it."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SEARCH_PATH)
    if found is None:
        raise SettingMissing("mosquitto is not installed; run setup/system-packages, or 'apt-get install mosquitto'")
    return found


class Mosquitto:
    """`kill` is SIGKILL; `restart` comes back on the same port with nothing remembered. Use as a context manager.

    `config` is used as it stands (it must listen on `port`) instead of the open one that all others share.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int | None = None, config: str | None = None) -> None:
        self.host = host
        self.port = port if port is not None else free_port(host)
        self._folder = tempfile.TemporaryDirectory(prefix="bes-broker-")
        self._config = Path(self._folder.name) / "mosquitto.conf"
        self._log = Path(self._folder.name) / "log"
        text = _CONFIG.format(host=host, port=self.port) if config is None else config
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it takes connections; GatewayUnavailable where it does not."""
        program = mosquitto_program()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=log)  # noqa: S603
        deadline_s = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                said = self._log.read_text(encoding="utf-8", errors="replace")[-_SAID_CHARACTERS:]
                raise GatewayUnavailable(f"mosquitto did not come up on {self.host}:{self.port}: {said.strip()}")
            time.sleep(0.01)

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        self._folder.cleanup()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it where it stands: connections stay open and nobody answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(with_signal)
        try:
            process.wait(_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
