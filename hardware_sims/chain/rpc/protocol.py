"""JSON-RPC requests and replies: versions 1 and 2, alone and in batches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.rpc import chain_calls, mempool_calls, node_calls, package_calls
from hardware_sims.chain.rpc.failure import Code, RpcFailure
from hardware_sims.chain.rpc.signature import Call
from shared.log import get_logger

_log = get_logger("sims.chain")
_OK, _NO_CONTENT, _BAD_REQUEST, _NOT_FOUND, _FAILED = 200, 204, 400, 404, 500
_HTTP_OF_CODE = {Code.INVALID_REQUEST: _BAD_REQUEST, Code.METHOD_NOT_FOUND: _NOT_FOUND}

_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    chain_calls.generateblock,
    chain_calls.generatetoaddress,
    chain_calls.getbestblockhash,
    chain_calls.getblock,
    chain_calls.getblockchaininfo,
    chain_calls.getblockcount,
    chain_calls.getblockhash,
    chain_calls.getblockheader,
    chain_calls.gettxout,
    chain_calls.invalidateblock,
    chain_calls.reconsiderblock,
    chain_calls.scantxoutset,
    chain_calls.submitblock,
    mempool_calls.decoderawtransaction,
    mempool_calls.estimatesmartfee,
    mempool_calls.getmempoolentry,
    mempool_calls.getmempoolinfo,
    mempool_calls.getrawmempool,
    mempool_calls.getrawtransaction,
    mempool_calls.gettxspendingprevout,
    mempool_calls.sendrawtransaction,
    package_calls.submitpackage,
    package_calls.testmempoolaccept,
    node_calls.getindexinfo,
    node_calls.getnetworkinfo,
    node_calls.stop,
    node_calls.uptime,
)
CALLS: Mapping[str, Call] = {function.__name__: Call(function) for function in _FUNCTIONS}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status, its body, and whether a request told the node to stop."""

    status: int
    body: bytes
    stops: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    result: Any
    failure: RpcFailure | None
    request_id: Any
    modern: bool
    notification: bool
    method: str

    def view(self) -> dict[str, Any]:
        error = None if self.failure is None else {"code": int(self.failure.number), "message": self.failure.detail}
        if not self.modern:
            return {"result": self.result, "error": error, "id": self.request_id}
        outcome = {"result": self.result} if error is None else {"error": error}
        return {"jsonrpc": "2.0", **outcome, "id": self.request_id}


def answer(node: ChainNode, body: bytes) -> Reply:
    """What Bitcoin Core says to the body of a POST."""
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return _single(_failed(RpcFailure(Code.PARSE_ERROR, "Parse error"), {}))
    if isinstance(given, dict):
        return _single(_answered(node, given))
    if isinstance(given, list):
        return _batch([_answered(node, one) for one in given])
    return _single(_failed(RpcFailure(Code.PARSE_ERROR, "Top-level object parse error"), {}))


def _single(found: _Answer) -> Reply:
    stops = found.method == "stop" and found.failure is None
    if found.modern and found.notification:
        return Reply(_NO_CONTENT, b"", stops)
    status = _OK
    if found.failure is not None and not found.modern:
        status = _HTTP_OF_CODE.get(found.failure.number, _FAILED)
    return Reply(status, _encoded(found.view()), stops)


def _batch(found: list[_Answer]) -> Reply:
    views = [one.view() for one in found if not (one.modern and one.notification)]
    stops = any(one.method == "stop" and one.failure is None for one in found)
    return Reply(_OK, _encoded(views), stops) if views or not found else Reply(_NO_CONTENT, b"", stops)


def _encoded(view: Any) -> bytes:
    return msgspec.json.encode(view) + b"\n"


def _answered(node: ChainNode, request: Any) -> _Answer:
    if not isinstance(request, dict):
        return _failed(RpcFailure(Code.INVALID_REQUEST, "Invalid Request object"), {})
    try:
        return _outcome(request, _called(node, request), None)
    except RpcFailure as failure:
        return _failed(failure, request)
    except Exception as error:  # a node that answers goes on answering
        _log.exception("call_failed", method=str(request.get("method")))
        return _failed(RpcFailure(Code.MISC, str(error)), request)


def _called(node: ChainNode, request: Mapping[str, Any]) -> Any:
    if request.get("jsonrpc", "1.0") not in ("1.0", "1.1", "2.0"):
        raise RpcFailure(Code.INVALID_REQUEST, "JSON-RPC version not supported")
    method, params = request.get("method"), request.get("params")
    if method is None:
        raise RpcFailure(Code.INVALID_REQUEST, "Missing method")
    if not isinstance(method, str):
        raise RpcFailure(Code.INVALID_REQUEST, "Method must be a string")
    if not isinstance(params, list | dict | None):
        raise RpcFailure(Code.INVALID_REQUEST, "Params must be an array or object")
    if method not in CALLS:
        raise RpcFailure(Code.METHOD_NOT_FOUND, "Method not found")
    return CALLS[method](node, params)


def _failed(failure: RpcFailure, request: Mapping[str, Any]) -> _Answer:
    return _outcome(request, None, failure)


def _outcome(request: Mapping[str, Any], result: Any, failure: RpcFailure | None) -> _Answer:
    return _Answer(
        result=result,
        failure=failure,
        request_id=request.get("id"),
        modern=request.get("jsonrpc") == "2.0",
        notification="id" not in request,
        method=str(request.get("method")),
    )
