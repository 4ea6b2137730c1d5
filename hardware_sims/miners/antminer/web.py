"""The web server of an Antminer: CGI reads and writes on port 80, every path behind Digest."""

import random
from collections.abc import Callable
from typing import Any

import msgspec

from hardware_sims.http import HttpRequest, HttpResponse
from hardware_sims.miners.antminer import page
from hardware_sims.miners.antminer.configuration import Configuration, ConfigurationRefused
from hardware_sims.miners.antminer.digest import DigestGate
from hardware_sims.miners.antminer.firmware import Firmware
from hardware_sims.miners.machine import Machine
from hardware_sims.miners.presence import answers

CGI = "/cgi-bin/"
STORED = {"stats": "success", "code": "M000", "msg": "OK!"}
REFUSED = {"stats": "error", "code": "M001", "msg": "Illegal request!"}
BLINK_ON, BLINK_OFF = {"code": "B000"}, {"code": "B100"}
BLINK_REFUSED = {"code": "B001"}
_encode = msgspec.json.encode

Read = Callable[[], Any]
Write = Callable[[HttpRequest], Any]


class AntminerWeb:
    """`handle` is the handler of an HttpServer."""

    def __init__(self, machine: Machine, firmware: Firmware) -> None:
        self._machine = machine
        self._configuration = Configuration(machine, firmware)
        self._gate = DigestGate(
            lambda: machine.password,
            lambda: machine.wall_time_s,
            lambda: machine.uptime_s,
            random.Random(machine.serial),
        )

        def enveloped(name: str, read: Read) -> Read:
            section = name.upper()
            return lambda: {**page.envelope(machine, firmware, name), section: read()}

        self._reads: dict[str, Read] = {
            "summary": enveloped("summary", lambda: page.summary(machine)),
            "stats": enveloped("stats", lambda: page.stats(machine, self._configuration.mode)),
            "pools": enveloped("pools", lambda: page.pools(machine)),
            "get_system_info": lambda: page.system_info(machine, firmware),
            "get_network_info": lambda: page.network_info(machine),
            "get_miner_conf": self._configuration.document,
            "get_blink_status": lambda: {"blink": machine.blinking},
        }
        self._writes: dict[str, Write] = {"set_miner_conf": self._set_miner_conf, "blink": self._blink}

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """ConnectionAbortedError while the machine is down, and when it reboots."""
        if not answers(self._machine):
            raise ConnectionAbortedError("the machine is down")
        challenge = self._gate.challenge(request)
        if challenge is not None:
            return challenge
        name = request.path.removeprefix(CGI).removesuffix(".cgi")
        if request.path != f"{CGI}{name}.cgi":
            return HttpResponse(404, b"404 - Not Found", {"content-type": "text/html"})
        if name == "reboot":
            self._machine.reboot()
            raise ConnectionAbortedError("the machine reboots")
        if name == "log":
            return HttpResponse(200, self._log(), {"content-type": "text/plain"})
        if name in self._reads:
            return HttpResponse(200, _encode(self._reads[name]()))
        if name in self._writes and request.method == "POST":
            return HttpResponse(200, _encode(self._writes[name](request)))
        return HttpResponse(404, b"404 - Not Found", {"content-type": "text/html"})

    def _set_miner_conf(self, request: HttpRequest) -> dict[str, str]:
        try:
            self._configuration.replace(msgspec.json.decode(request.body))
        except (msgspec.DecodeError, ConfigurationRefused):
            return REFUSED
        return STORED

    def _blink(self, request: HttpRequest) -> dict[str, str]:
        """Wants `{"blink": "true"}`, a string."""
        try:
            wanted = msgspec.json.decode(request.body, type=dict[str, str]).get("blink")
        except msgspec.DecodeError:
            return BLINK_REFUSED
        if wanted not in ("true", "false"):
            return BLINK_REFUSED
        self._machine.blink(wanted == "true")
        return BLINK_ON if wanted == "true" else BLINK_OFF

    def _log(self) -> bytes:
        machine = self._machine
        lines = [
            f"{machine.model} {machine.serial}",
            f"uptime {int(machine.uptime_s)} s",
            f"state {machine.state.value}",
        ]
        lines += [f"chain {board.slot}: {'ok' if board.alive else 'not found'}" for board in machine.boards]
        return "\n".join([*lines, ""]).encode()
