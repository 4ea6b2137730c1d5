"""JSON-RPC 2.0 over HTTP to one node: deadlines, a byte cap, bounded retries, and every failure as one of ours.

Only calls that may be made twice go through here; a transaction that is sent twice is the same transaction.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from controller.gateways.bitcoind.breaker import Breaker
from controller.gateways.bitcoind.connection import NodeConnections
from controller.gateways.bitcoind.login import Login
from shared.errors import GatewayRefused, GatewayUnavailable

_T = TypeVar("_T")
CALL_S = 30.0
_ATTEMPTS = 3
_FIRST_WAIT_S = 0.1
_WARMING_UP = -28
_LOGIN_REFUSED = (401, 403)
_ANSWERED = (200, 400, 404, 500)  # with an error in the body; 503 is a full work queue


class NodeRefused(GatewayRefused):
    """The node understood and said no; `number` is its error code, `reason` its own text."""

    def __init__(self, method: str, number: int, reason: str) -> None:
        super().__init__(f"{method}: the node refuses: {reason} ({number})")
        self.number = number
        self.reason = reason


class _Error(msgspec.Struct, frozen=True):
    code: int
    message: str


class _Reply(msgspec.Struct, frozen=True):
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class JsonRpc:
    """`counters` tells calls, retries and failures since the start. Use as long as the program runs, then `aclose`."""

    def __init__(
        self, url: str, login: Login, *, breaker: Breaker | None = None, randomness: random.Random | None = None
    ) -> None:
        self._url = url
        self._login = login
        self._breaker = breaker or Breaker()
        self._randomness = randomness or random.Random()
        self._ids = itertools.count(1)
        self._connections = NodeConnections(url)
        self.counters: Counter[str] = Counter()

    @property
    def paused(self) -> bool:
        """Whether the node is left alone for a while because it did not answer."""
        return self._breaker.paused

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def call(self, kind: type[_T], method: str, *params: Any, within_s: float = CALL_S) -> _T:
        """The result as `kind`. NodeRefused, GatewayRefused for a wrong login, else GatewayUnavailable."""
        (reply,) = await self._answered([(method, params)], within_s)
        return self._result(kind, method, reply)

    async def batch(
        self, kind: type[_T], calls: Sequence[tuple[str, Sequence[Any]]], *, within_s: float = CALL_S
    ) -> tuple[_T, ...]:
        """Many calls at once, the results in their order; the first refusal is raised."""
        if not calls:
            return ()
        replies = await self._answered(calls, within_s)
        return tuple(self._result(kind, call[0], reply) for call, reply in zip(calls, replies, strict=True))

    async def _answered(self, calls: Sequence[tuple[str, Sequence[Any]]], within_s: float) -> list[_Reply]:
        try:
            async with asyncio.timeout(within_s):
                return await self._with_retries(calls)
        except TimeoutError as error:
            self._note_failure()
            raise GatewayUnavailable(f"{self._url} {calls[0][0]}: no whole answer within {within_s:g} s") from error

    async def _with_retries(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[_Reply]:
        for attempt in itertools.count(1):
            self._breaker.check(self._url)
            self.counters["calls"] += 1
            try:
                replies = await self._exchange(calls)
            except GatewayUnavailable:
                self._note_failure()
                if attempt == _ATTEMPTS:
                    raise
                self.counters["retries"] += 1
                await asyncio.sleep(_FIRST_WAIT_S * 3 ** (attempt - 1) * self._randomness.uniform(0.5, 1.5))
            else:
                self._breaker.succeeded()
                return replies
        raise AssertionError("unreachable")

    async def _exchange(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[_Reply]:
        ids = [next(self._ids) for _ in calls]
        requests = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in zip(ids, calls, strict=True)
        ]
        alone = len(requests) == 1
        body = await self._post(msgspec.json.encode(requests[0] if alone else requests))
        try:
            replies = (
                [msgspec.json.decode(body, type=_Reply)] if alone else msgspec.json.decode(body, type=list[_Reply])
            )
        except msgspec.MsgspecError as error:
            raise GatewayUnavailable(f"{self._url}: what answers there is no Bitcoin node: {error}") from error
        by_id = {reply.id: reply for reply in replies}
        if len(replies) != len(requests) or any(number not in by_id for number in ids):
            said = next((f": {reply.error.message}" for reply in replies if reply.error), "")
            raise GatewayUnavailable(f"{self._url}: the answers are not those to our calls{said}")
        for reply in replies:
            if reply.error is not None and reply.error.code == _WARMING_UP:
                raise GatewayUnavailable(f"{self._url}: the node is starting: {reply.error.message}")
        return [by_id[number] for number in ids]

    async def _post(self, body: bytes) -> bytes:
        headers = {"authorization": self._login.header(), "content-type": "application/json"}
        answer = await self._connections.post(body, headers)
        if answer.status in _LOGIN_REFUSED:
            raise GatewayRefused(f"{self._url}: the node refuses our login; check cookie file or password")
        if answer.status not in _ANSWERED:
            raise GatewayUnavailable(f"{self._url}: HTTP status {answer.status}")
        return answer.body

    def _result(self, kind: type[_T], method: str, reply: _Reply) -> _T:
        if reply.error is not None:
            raise NodeRefused(method, reply.error.code, reply.error.message)
        try:
            return msgspec.json.decode(reply.result, type=kind)
        except msgspec.MsgspecError as error:
            raise GatewayUnavailable(f"{self._url} {method}: an answer of another form: {error}") from error

    def _note_failure(self) -> None:
        self.counters["failures"] += 1
        self._breaker.failed()
