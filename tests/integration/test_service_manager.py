"""Each role as systemd starts it: ready, alive, stopping, exit code 0; and what keeps a controller from starting."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardware_sims.broker import free_port

BES = (sys.executable, "-c", "import sys; from shared.cli import main; sys.exit(main())")
WATCHDOG_S = 1.5
START_S = 60.0
STOP_S = 15.0

SITE = """\
id = "north"
name = "North"

[[feeder]]
id = "site"
kind = "site"
limit_w = 100000
"""
NODE = """\
site = "north"
node = "n1"
state_directory = "{folder}/state"
operators = []
"""
CONTROLLER = """\
state_directory = "{folder}/state"
sites = ["north"]

[web]
port = {web}
"""
MQTT = """
[mqtt]
port = {nobody}
"""


class Service:
    """A process of ours and what it tells the service manager."""

    def __init__(self, folder: Path, role: str, config: str) -> None:
        self.web = free_port()
        text = config.format(folder=folder, web=self.web, nobody=free_port())
        (folder / "site.toml").write_text(SITE)
        self._config = folder / f"{role}.toml"
        self._config.write_text(text)
        self._role = role
        self._log = folder / "log"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(folder / "notify"))
        self._environment = os.environ | {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("wb") as log:
            command = [*BES, self._role, "-c", str(self._config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def hears(self, word: str, within_s: float) -> None:
        """Await a word; what is said meanwhile is dropped."""
        deadline_s = time.monotonic() + within_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._manager.settimeout(left_s)
            try:
                said = self._manager.recv(4096).decode()
            except TimeoutError:
                break
            if word in said.splitlines():
                return
        pytest.fail(f"{self._role} did not say {word}: {self.log}")

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._manager.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    made: list[Service] = []

    def make(role: str) -> Service:
        body = CONTROLLER if role == "controller" else NODE
        if role == "agent":
            body += 'site_file = "{folder}/site.toml"\n'
        made.append(Service(tmp_path, role, body + MQTT))
        return made[-1]

    yield make
    for running in made:
        running.close()


@pytest.mark.parametrize("role", ["agent", "signer", "controller"])
def test_a_role_is_ready_alive_and_stops_in_order(service, role):
    running = service(role)
    running.start()
    running.hears("READY=1", START_S)
    running.hears("WATCHDOG=1", WATCHDOG_S * 10)
    assert running.stop() == 0
    running.hears("STOPPING=1", 1)
    assert "Traceback" not in running.log


@pytest.mark.parametrize("role", ["agent", "controller"])
def test_it_is_fed_again_before_the_manager_loses_patience(service, role):
    running = service(role)
    running.start()
    running.hears("READY=1", START_S)
    for _ in range(3):
        running.hears("WATCHDOG=1", WATCHDOG_S * 10)


def test_nobody_who_holds_a_connection_keeps_the_controller_from_ending(service):
    running = service("controller")
    running.start()
    running.hears("READY=1", START_S)
    with socket.create_connection(("127.0.0.1", running.web)) as lingering:
        lingering.sendall(b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        assert running.stop() == 0
    assert "CancelledError" not in running.log


def test_a_taken_web_port_is_told_in_one_sentence(service):
    with socket.create_server(("127.0.0.1", 0)) as other:
        running = service("controller")
        port = other.getsockname()[1]
        running._config.write_text(running._config.read_text().replace(str(running.web), str(port)))
        running.start()
        assert running.process.wait(START_S) == 1
    assert running.log.strip() == (
        f"bes controller: web: 127.0.0.1:{port}: another program listens there; "
        "stop it, or set another [web] port [config.setting-invalid]"
    )
