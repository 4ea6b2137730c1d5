"""Raritan and Server Technology PRO (Xerus): JSON-RPC over HTTP POST, many calls in one by `/bulk`.

Outlets count from 0. `powerState` is the state of the relay's control, so the last order; sensors tell the effect.
Source: the vendor's package raritan 4.4.1.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from agent.site.devices.reading import Evidence, OutletReading
from agent.site.drivers.measured import Measured
from agent.site.drivers.pdus.dialect import Http, Outlets, evidence_of, json_of, outlet_reading
from agent.site.drivers.pdus.document import at, decode
from shared.errors import AuthFailed, DeviceError, ProtocolViolation, Rejected, Unsupported, WritesDisabled
from shared.profiles import Point, Profile
from shared.profiles.command import HttpStep

PDU: Final = "/model/pdu/0"
_BULK: Final = "/bulk"
_CALLS_IN_A_BULK: Final = 150
_MOST_OUTLETS: Final = 256
_STATE: Final = "getState"
_NAMEPLATE: Final = "getMetaData"
_IDLE_CLOSED: Final = 408  # the device had closed the kept connection before it read the request

_REFUSALS: Final[dict[int, tuple[type[DeviceError], str]]] = {
    1: (Rejected, "an outlet is not switchable"),
    2: (Rejected, "load shedding is active"),
    3: (Rejected, "an outlet is disabled"),
    5: (WritesDisabled, "relay control is disabled; enable it in the PDU's settings"),
}


class Call(msgspec.Struct, frozen=True):
    """A method without parameters of the object at resource id `rid`."""

    rid: str
    method: str


class _Outlet(msgspec.Struct, frozen=True):
    rid: str
    sensors: dict[str, str]


class Xerus:
    """A `Dialect`. Resource ids are learned once and again whenever one of them stops answering."""

    def __init__(self, http: Http, profile: Profile) -> None:
        self._http = http
        self._ids = itertools.count(1)
        self._outlets: tuple[_Outlet, ...] = ()
        self._points: dict[str, list[Point]] = {}
        for point in profile.points:
            self._points.setdefault(point.request or "", []).append(point)
        self._sensors = [request for request in self._points if request not in (_STATE, _NAMEPLATE)]

    async def nameplate(self) -> Mapping[str, Measured]:
        body = self._call_body(_NAMEPLATE, {})
        result, _ = await self._post(PDU, body)
        return decode(self._points[_NAMEPLATE], result)

    async def read(self, numbers: Sequence[int] | None) -> Outlets:
        if not self._outlets:
            self._outlets = await self._learn()
        wanted = range(1, len(self._outlets) + 1) if numbers is None else numbers
        for number in wanted:
            if not 1 <= number <= len(self._outlets):
                raise Unsupported(f"outlet {number} does not exist; this PDU has {len(self._outlets)}")
        plans = [(number, self._calls(self._outlets[number - 1])) for number in wanted]
        answers, evidence = await self._bulk([call for _, calls in plans for call in calls.values()])
        if None in answers:
            self._outlets = ()  # an id has changed, by a restart or a swapped board
        rest = iter(answers)
        readings = tuple(self._reading(number, dict(zip(calls, rest, strict=False))) for number, calls in plans)
        return Outlets(readings, evidence)

    async def send(self, step: HttpStep) -> Evidence:
        result, evidence = await self._post(step.path, step.body.encode())
        code = at(result, "/_ret_")
        if type(code) is not int:
            raise ProtocolViolation(f"{step.path}: the answer holds no return code")
        if code:
            kind, text = _REFUSALS.get(code, (Rejected, "it gives no reason that we know"))
            raise kind(f"{step.path}: refused: {text} (code {code})")
        return evidence

    def _calls(self, outlet: _Outlet) -> dict[str, Call]:
        """Request of the profile → call, for what this outlet has."""
        sensors = {name: Call(outlet.sensors[name], "getReading") for name in self._sensors if name in outlet.sensors}
        return {_STATE: Call(outlet.rid, _STATE), **sensors}

    def _reading(self, number: int, answers: Mapping[str, object]) -> OutletReading:
        measured: dict[str, Measured] = {}
        for request, answer in answers.items():
            measured |= decode(self._points[request], answer)
        return outlet_reading(number, measured)

    async def _learn(self) -> tuple[_Outlet, ...]:
        result, _ = await self._post(PDU, self._call_body("getOutlets", {}))
        references = at(result, "/_ret_")
        rids = [at(reference, "/rid") for reference in references] if isinstance(references, list) else []
        if not 0 < len(rids) <= _MOST_OUTLETS or not all(isinstance(rid, str) for rid in rids):
            raise ProtocolViolation(f"{PDU}: getOutlets answers with no list of 1 to {_MOST_OUTLETS} outlets")
        answers, _ = await self._bulk([Call(rid, "getSensors") for rid in rids])
        return tuple(_Outlet(rid, _sensor_rids(answer)) for rid, answer in zip(rids, answers, strict=True))

    async def _bulk(self, calls: Sequence[Call]) -> tuple[list[object | None], tuple[Evidence, ...]]:
        """The result of each call, None where that one failed."""
        answers: list[object | None] = []
        evidence: list[Evidence] = []
        for start in range(0, len(calls), _CALLS_IN_A_BULK):
            part = calls[start : start + _CALLS_IN_A_BULK]
            envelopes = [self._envelope(call.method, {}) for call in part]
            requests = [{"rid": call.rid, "json": said} for call, said in zip(part, envelopes, strict=True)]
            result, raw = await self._post(_BULK, self._call_body("performBulk", {"requests": requests}))
            responses = at(result, "/responses")
            if not isinstance(responses, list) or len(responses) != len(part):
                raise ProtocolViolation(f"{_BULK}: {len(part)} calls were asked, others answered")
            answers += map(_sub_result, responses, (said["id"] for said in envelopes))
            evidence.append(raw)
        return answers, tuple(evidence)

    def _envelope(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": method, "params": params, "id": next(self._ids)}

    def _call_body(self, method: str, params: dict[str, Any]) -> bytes:
        return json.dumps(self._envelope(method, params), separators=(",", ":")).encode()

    async def _post(self, path: str, body: bytes) -> tuple[object, Evidence]:
        reply = await self._http.request("POST", path, body=body)
        if reply.status == _IDLE_CLOSED:
            reply = await self._http.request("POST", path, body=body)
        if reply.status in (301, 302, 307, 308):
            raise Unsupported(
                f"{path}: the PDU sends us to {reply.header('location')}; set device_tls for it, or let it speak HTTP"
            )
        if reply.status in (401, 403):
            raise AuthFailed(f"{path}: the PDU refuses this user and password")
        if reply.status != 200:
            raise ProtocolViolation(f"{path}: HTTP status {reply.status}")
        document = json_of(path, reply.body)
        error = at(document, "/error")
        if error is not None:
            raise Unsupported(f"{path}: JSON-RPC error {at(error, '/code')}: {str(at(error, '/message'))[:200]}")
        return at(document, "/result"), evidence_of(f"POST {path}", reply.body)


def _sub_result(response: object, call_id: int) -> object | None:
    if at(response, "/statcode") != 200 or at(response, "/json/id") != call_id:
        return None
    result: object | None = at(response, "/json/result")
    return result


def _sensor_rids(answer: object) -> dict[str, str]:
    fields = at(answer, "/_ret_")
    found = {name: at(field, "/rid") for name, field in fields.items()} if isinstance(fields, dict) else {}
    return {name: rid for name, rid in found.items() if isinstance(rid, str)}
