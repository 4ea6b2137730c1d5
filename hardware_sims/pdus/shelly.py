"""Shelly generation 2 RPC over HTTP: `GET /rpc/Switch.Set?id=0&on=false` or a JSON-RPC frame posted to `/rpc`.

Generally known of the vendor's published interface; not checked on a device. No authentication, as delivered.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from hardware_sims.faults import FaultState
from hardware_sims.http import HttpRequest, HttpResponse, HttpServer
from hardware_sims.pdus.outlet import OutletBank

PORT = 80
MODEL = "SPSW-104PE16EU"
APP = "Pro4PM"
FIRMWARE = "1.4.4"
_BAD_ARGUMENT, _NOT_FOUND, _NO_HANDLER = -103, -105, 404

Params = dict[str, Any]


class RpcRefusal(Exception):
    """An error answer; `code` as the device numbers it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ShellyServer:
    """One switch id per outlet of the bank, from 0."""

    def __init__(self, bank: OutletBank, faults: FaultState, *, mac: str) -> None:
        self._bank = bank
        self._digits = mac.replace(":", "").upper()
        self._http = HttpServer(self._handle, faults)

    @property
    def device_id(self) -> str:
        return f"shellypro4pm-{self._digits.lower()}"

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        await self._http.start(host, port_of(PORT))

    async def stop(self) -> None:
        await self._http.stop()

    @property
    def ports(self) -> dict[int, int]:
        return {PORT: self._http.port}

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/shelly":
            return _json(self._device_info())
        if request.path == "/rpc" and request.method == "POST":
            return self._frame(request.body)
        try:
            return _json(self._call(request.path.removeprefix("/rpc/"), _typed(request)))
        except RpcRefusal as refusal:
            return _json({"code": refusal.code, "message": str(refusal)}, 404 if refusal.code == _NO_HANDLER else 500)

    def _frame(self, body: bytes) -> HttpResponse:
        try:
            call = msgspec.json.decode(body, type=Params)
        except msgspec.MsgspecError:
            return HttpResponse(400)
        reply: Params = {"id": call.get("id"), "src": self.device_id}
        try:
            return _json(reply | {"result": self._call(str(call.get("method")), call.get("params") or {})})
        except RpcRefusal as refusal:
            return _json(reply | {"error": {"code": refusal.code, "message": str(refusal)}})

    def _call(self, method: str, params: Params) -> Params:
        if method == "Shelly.GetDeviceInfo":
            return self._device_info()
        if method == "Shelly.GetStatus":
            return {f"switch:{switch}": self._status(switch) for switch in range(len(self._bank))}
        if method == "Switch.GetStatus":
            return self._status(self._switch_id(params))
        if method == "Switch.Set":
            return self._set(self._switch_id(params), params.get("on"))
        raise RpcRefusal(_NO_HANDLER, f"No handler for {method}")

    def _set(self, switch: int, on: Any) -> Params:
        if not isinstance(on, bool):
            raise RpcRefusal(_BAD_ARGUMENT, "Argument 'on', value is not a boolean!")
        was_on = self._bank.sample(switch).on
        self._bank.order(switch, on)
        return {"was_on": was_on}

    def _status(self, switch: int) -> Params:
        sample = self._bank.sample(switch)
        return {
            "id": switch,
            "source": "HTTP_in",
            "output": sample.on,
            "apower": round(sample.power_w, 1),
            "voltage": round(sample.voltage_v, 1),
            "current": round(sample.current_a, 3),
            "pf": 0.99,
            "freq": 60.0,
            "aenergy": {"total": round(sample.energy_wh, 3)},
            "temperature": {"tC": 41.3, "tF": 106.3},
        }

    def _switch_id(self, params: Params) -> int:
        switch = params.get("id")
        if not isinstance(switch, int):
            raise RpcRefusal(_BAD_ARGUMENT, "Missing required argument 'id'!")
        if not 0 <= switch < len(self._bank):
            raise RpcRefusal(_NOT_FOUND, f"Argument 'id', value {switch} not found!")
        return switch

    def _device_info(self) -> Params:
        return {
            "name": None,
            "id": self.device_id,
            "mac": self._digits,
            "slot": 0,
            "model": MODEL,
            "gen": 2,
            "fw_id": f"20250101-000000/{FIRMWARE}-g000000",
            "ver": FIRMWARE,
            "app": APP,
            "auth_en": False,
            "auth_domain": None,
        }


def _typed(request: HttpRequest) -> Params:
    """Query values are JSON where they can be (`true`, `0`), plain text otherwise; a posted body is JSON."""
    if request.body:
        try:
            return msgspec.json.decode(request.body, type=Params)
        except msgspec.MsgspecError as error:
            raise RpcRefusal(_BAD_ARGUMENT, "Invalid JSON") from error
    return {name: _value(text) for name, text in request.query.items()}


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return text


def _json(value: Params, status: int = 200) -> HttpResponse:
    return HttpResponse(status, msgspec.json.encode(value))
