"""The web server of one simulated BitAxe."""

from collections.abc import Callable
from ipaddress import IPv4Network, ip_address
from typing import Any

import msgspec

from hardware_sims.faults import FaultState
from hardware_sims.http import HttpRequest, HttpResponse, HttpServer
from hardware_sims.miners.axeos import info
from hardware_sims.miners.axeos.board import board_kind
from hardware_sims.miners.axeos.setting import SettingRefused, Settings
from hardware_sims.miners.machine import Machine
from hardware_sims.miners.presence import answers

WEB_PORT = 80
HTML = {"content-type": "text/html"}
TEXT = {"content-type": "text/plain"}
PAGE = b"<!doctype html><html><head><title>AxeOS</title></head><body><app-root></app-root></body></html>"
_encode = msgspec.json.encode


class AxeosServer:
    """Serves the AxeOS API on 80, without any login: clients outside of `allowed` get a 401."""

    def __init__(self, machine: Machine, faults: FaultState, *, allowed: IPv4Network | None = None) -> None:
        self._machine = machine
        self._allowed = allowed
        self._kind = board_kind(machine.model)
        self._settings = Settings(machine, self._kind)
        self._web = HttpServer(self._handle, faults)

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        """Listen on `host`. AddressTaken where the port is in use or may not be bound."""
        await self._web.start(host, port_of(WEB_PORT))

    async def stop(self) -> None:
        await self._web.stop()

    @property
    def ports(self) -> dict[int, int]:
        """Where each standard port is bound."""
        return {WEB_PORT: self._web.port}

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        if not answers(self._machine):
            raise ConnectionAbortedError("the machine is down")
        if self._allowed is not None and ip_address(request.peer) not in self._allowed:
            return HttpResponse(401, b"Unauthorized", TEXT)
        match request.method, request.path:
            case "GET", "/api/system/info":
                return HttpResponse(200, _encode(info.system_info(self._machine, self._kind, self._settings)))
            case "GET", "/api/system/asic":
                return HttpResponse(200, _encode(info.asic(self._kind)))
            case "PATCH", "/api/system":
                return self._change(request.body)
            case "POST", "/api/system/restart":
                self._machine.reboot()
                return HttpResponse(200, b"System will restart shortly.", TEXT)
            case "GET", "/":
                return HttpResponse(200, PAGE, HTML)
            case _:
                return HttpResponse(404, b"Not found", TEXT)

    def _change(self, body: bytes) -> HttpResponse:
        try:
            self._settings.change(msgspec.json.decode(body, type=dict[str, Any]))
        except msgspec.DecodeError:
            return HttpResponse(400, b"Invalid JSON", TEXT)
        except SettingRefused as error:
            return HttpResponse(400, f"Wrong API input: {error}".encode(), TEXT)
        return HttpResponse(200)
