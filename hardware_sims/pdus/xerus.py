"""Xerus JSON-RPC over HTTP: POST to a resource's path, or many calls at once to `/bulk`; Basic authentication."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

import msgspec

from hardware_sims.faults import FaultState
from hardware_sims.http import HttpRequest, HttpResponse, HttpServer
from hardware_sims.pdus.certificate import DeviceCertificate
from hardware_sims.pdus.xerus_resource import Params, XerusPdu

PORT, TLS_PORT = 80, 443
USER, PASSWORD = "admin", "raritan"
_PARSE_ERROR, _METHOD_NOT_FOUND, _INVALID_PARAMS = -32700, -32601, -32602


class XerusServer:
    """With a certificate it speaks HTTPS, and its plain port only sends there: how these PDUs are delivered."""

    def __init__(self, pdu: XerusPdu, faults: FaultState, certificate: DeviceCertificate | None = None) -> None:
        self._pdu = pdu
        self._certificate = certificate
        self._https = HttpServer(self._handle, faults)
        self._http = HttpServer(self._handle if certificate is None else self._send_away, faults)

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        await self._http.start(host, port_of(PORT))
        if self._certificate is not None:
            await self._https.start(host, port_of(TLS_PORT), self._certificate.context())

    async def stop(self) -> None:
        await self._http.stop()
        await self._https.stop()

    @property
    def ports(self) -> dict[int, int]:
        plain = {PORT: self._http.port}
        return plain if self._certificate is None else plain | {TLS_PORT: self._https.port}

    async def _send_away(self, request: HttpRequest) -> HttpResponse:
        host = request.headers.get("host", "").partition(":")[0]
        return HttpResponse(302, b"", {"location": f"https://{host}{request.target}"})

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        if not _authorised(request.headers.get("authorization", "")):
            return HttpResponse(401, b"", {"www-authenticate": 'Basic realm="Raritan PDU"'})
        if request.method != "POST":
            return HttpResponse(405)
        try:
            call = msgspec.json.decode(request.body, type=Params)
        except msgspec.MsgspecError:
            return HttpResponse(200, msgspec.json.encode(_error(None, _PARSE_ERROR, "Parse error")))
        reply = self._bulk(call) if request.path == "/bulk" else self._call(request.path, call)
        return HttpResponse(404) if reply is None else HttpResponse(200, msgspec.json.encode(reply))

    def _bulk(self, call: Params) -> Params:
        """`performBulk`: every request is answered for itself, with its own status code."""
        params = call.get("params")
        requests = params.get("requests") if isinstance(params, dict) else None
        if call.get("method") != "performBulk" or not isinstance(requests, list):
            return _error(call.get("id"), _INVALID_PARAMS, "Invalid params")
        return _result(call.get("id"), {"responses": [self._bulk_item(item) for item in requests]})

    def _bulk_item(self, item: Any) -> Params:
        if not isinstance(item, dict) or not isinstance(item.get("json"), dict):
            return {"json": None, "statcode": 400}
        reply = self._call(str(item.get("rid")), item["json"])
        return {"json": reply, "statcode": 404 if reply is None else 200}

    def _call(self, path: str, call: Params) -> Params | None:
        """The reply to one call; None where the resource does not exist."""
        methods = self._pdu.methods(path)
        if methods is None:
            return None
        method, params = methods.get(str(call.get("method"))), call.get("params") or {}
        if method is None:
            return _error(call.get("id"), _METHOD_NOT_FOUND, "Method not found")
        if not isinstance(params, dict):
            return _error(call.get("id"), _INVALID_PARAMS, "Invalid params")
        value = method(params)
        return _result(call.get("id"), {} if value is None else {"_ret_": value})


def _authorised(header: str) -> bool:
    scheme, _, token = header.partition(" ")
    try:
        return scheme.lower() == "basic" and base64.b64decode(token) == f"{USER}:{PASSWORD}".encode()
    except binascii.Error:
        return False


def _result(call_id: Any, result: Params) -> Params:
    return {"jsonrpc": "2.0", "result": result, "id": call_id}


def _error(call_id: Any, code: int, message: str) -> Params:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": call_id}
