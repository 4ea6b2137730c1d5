"""Xerus JSON-RPC over HTTP: POST to a resource's path, or many calls at once to `/bulk`; Basic authentication."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

import msgspec

from hardware_sims.faults import FaultState
from hardware_sims.http import HttpRequest, HttpResponse, HttpServer
from hardware_sims.pdus.xerus_resource import Params, XerusPdu

PORT = 80
USER, PASSWORD = "admin", "raritan"
_PARSE_ERROR, _METHOD_NOT_FOUND, _INVALID_PARAMS = -32700, -32601, -32602


class XerusServer:
    def __init__(self, pdu: XerusPdu, faults: FaultState) -> None:
        self._pdu = pdu
        self._http = HttpServer(self._handle, faults)

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        await self._http.start(host, port_of(PORT))

    async def stop(self) -> None:
        await self._http.stop()

    @property
    def ports(self) -> dict[int, int]:
        return {PORT: self._http.port}

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
