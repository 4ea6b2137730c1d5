"""PDUs as their vendors document them, small enough to see through; each answers (method, path, body) like a server."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agent.site.transports.http import HttpReply

Answer = tuple[int, Any]


class Wire:
    """An `Http` without a network: hands requests to a device and keeps them."""

    def __init__(self, device: "XerusDevice | ShellyDevice") -> None:
        self.device = device
        self.sent: list[tuple[str, str, str]] = []
        self.closed = False

    async def request(
        self, method: str, path: str, *, body: bytes | None = None, content_type: str = "application/json"
    ) -> HttpReply:
        self.sent.append((method, path, (body or b"").decode()))
        status, answer = self.device.answer(method, path, body)
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return HttpReply(status, {"location": ["https://pdu/"]} if 300 <= status < 400 else {}, raw)

    async def aclose(self) -> None:
        self.closed = True


class XerusDevice:
    """`stuck` relays obey in their state only; `codes` is what the next switch calls return."""

    def __init__(self, outlets: int = 4) -> None:
        self.on = [True] * outlets
        self.load_w = [1200.0 + 100 * i for i in range(outlets)]
        self.stuck: set[int] = set()
        self.invalid: set[str] = set()
        self.code = 0
        self.status: list[int] = []
        self.board = 1  # part of every sensor's resource id
        self.mac = "00:0D:5D:0A:1B:2C"

    def answer(self, method: str, path: str, body: bytes | None) -> Answer:
        if self.status:
            return self.status.pop(0), b"no"
        assert method == "POST"
        call = json.loads(body or b"")
        return 200, self.rpc(path, call)

    def rpc(self, path: str, call: dict[str, Any]) -> dict[str, Any]:
        result = self._result(path, call["method"], call["params"])
        head = {"jsonrpc": "2.0", "id": call["id"]}
        return head | ({"result": result} if result is not None else {"error": {"code": -32601, "message": "no such"}})

    def _result(self, path: str, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if path == "/bulk" and method == "performBulk":
            return {"responses": [self._sub(entry) for entry in params["requests"]]}
        if path == "/model/pdu/0":
            return self._pdu(method, params)
        kind, _, number = path.rpartition("/")
        if kind == "/model/outlet":
            return self._outlet(int(number), method)
        if kind.startswith(f"/tfwopaque/{self.board}/") and method == "getReading":
            return {"_ret_": self._sensor(kind.rsplit("/", 1)[1], int(number))}
        return None

    def _sub(self, entry: dict[str, Any]) -> dict[str, Any]:
        answer = self.rpc(entry["rid"], entry["json"])
        return {"json": answer, "statcode": 200 if "result" in answer else 404}

    def _pdu(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if method == "getOutlets":
            return {
                "_ret_": [{"rid": f"/model/outlet/{i}", "type": "pdumodel.Outlet:2.1.1"} for i in range(len(self.on))]
            }
        if method == "getMetaData":
            plate = {"manufacturer": "Raritan", "model": "PX3-5902V", "serialNumber": "PR349"}
            return {"_ret_": {"nameplate": plate, "fwRevision": "4.1.0.5-50274", "macAddress": self.mac}}
        if method == "setMultipleOutletPowerStates":
            assert params["state"] in (0, 1), "any other code would do something else on this device"
            if self.code == 0:
                for number in params["outletNumbers"]:
                    self.on[number] = params["state"] == 1
            return {"_ret_": self.code}
        return None

    def _outlet(self, number: int, method: str) -> dict[str, Any] | None:
        if method == "getState":
            return {"_ret_": {"available": True, "powerState": int(self.on[number]), "cycleInProgress": False}}
        if method == "getSensors":
            names = ("activePower", "current", "voltage", "activeEnergy", "powerFactor")
            sensors: dict[str, Any] = {n: {"rid": f"/tfwopaque/{self.board}/{n}/{number}", "type": "x"} for n in names}
            return {"_ret_": sensors | {"peakCurrent": None}}
        return None

    def _sensor(self, name: str, number: int) -> dict[str, Any]:
        drawing = self.on[number] or number in self.stuck
        watts = self.load_w[number] if drawing else 0.0
        value = {"activePower": watts, "current": watts / 240, "voltage": 240.0, "activeEnergy": 5000.0 + number}[name]
        return {"timestamp": 1, "available": True, "status": {}, "valid": name not in self.invalid, "value": value}


class ShellyDevice:
    def __init__(self, outlets: int = 4) -> None:
        self.on = [True] * outlets
        self.load_w = [1200.0 + 100 * i for i in range(outlets)]
        self.stuck: set[int] = set()
        self.refuse_after: int | None = None
        self.gen = 2
        self.mac = "A8032ABE54DC"
        self.status: list[int] = []

    def answer(self, method: str, path: str, body: bytes | None) -> Answer:
        assert (method, body) == ("GET", None)
        if self.status:
            return self.status.pop(0), b"no"
        split = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        if split.path == "/rpc/Shelly.GetDeviceInfo":
            return 200, {
                "id": "shellypro4pm-1",
                "mac": self.mac,
                "model": "SPSW-104PE16EU",
                "gen": self.gen,
                "ver": "1.0.8",
            }
        number = int(query["id"])
        if number >= len(self.on):
            return 500, {"code": -105, "message": f"Argument 'id', value {number} not found!"}
        if split.path == "/rpc/Switch.GetStatus":
            return 200, self._status(number)
        assert split.path == "/rpc/Switch.Set"
        if self.refuse_after is not None:
            if self.refuse_after == 0:
                return 500, {"code": -109, "message": "overtemp"}
            self.refuse_after -= 1
        was, self.on[number] = self.on[number], {"true": True, "false": False}[query["on"]]
        return 200, {"was_on": was}

    def _status(self, number: int) -> dict[str, Any]:
        watts = self.load_w[number] if self.on[number] or number in self.stuck else 0.0
        output = {"id": number, "output": self.on[number], "apower": watts, "current": watts / 240}
        return output | {"voltage": 240.0, "aenergy": {"total": 5000.0 + number}}
