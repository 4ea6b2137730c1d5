"""A small HTTP/1.1 server on h11: what miners, PDUs and the control port answer with."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from hardware_sims.faults import Fault, FaultState, deliver
from hardware_sims.tcp import TcpServer
from shared.log import get_logger

MAX_BODY_BYTES = 1 << 20
_STATUSES = {Fault.HTTP401: 401, Fault.HTTP404: 404, Fault.HTTP500: 500}
_log = get_logger("sims.http")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`target` is the request line's own text, as Digest needs it; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str
    peer: str


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`headers` need no length; JSON is the content type unless they say otherwise."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpServer:
    """Answers each request through `handler`; an exception of it becomes a 500 and is logged, but a ConnectionError
    of it drops the conversation unanswered.

    `keep_alive=False` closes after each answer; `idle_s` of silence on a kept connection end it with a 408, as some
    devices do. A body larger than `max_body_bytes` is answered with 413.
    """

    def __init__(
        self,
        handler: Handler,
        faults: FaultState,
        *,
        keep_alive: bool = True,
        idle_s: float = 60.0,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._handler = handler
        self._max_body_bytes = max_body_bytes
        self._faults = faults
        self._keep_alive = keep_alive
        self._idle_s = idle_s
        self._tcp = TcpServer(self._converse)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        await self._tcp.start(host, port, tls)

    async def stop(self) -> None:
        await self._tcp.stop()

    @property
    def port(self) -> int:
        return self._tcp.port

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        while True:
            request = None
            try:
                async with asyncio.timeout(self._idle_s):
                    request = await _read_request(connection, reader, peer, self._max_body_bytes)
            except TimeoutError:
                response = HttpResponse(408)
            except h11.RemoteProtocolError as error:
                response = HttpResponse(error.error_status_hint)
            else:
                response = HttpResponse(413) if request is None else await self._answer(request)
            await deliver(writer, self._encode(connection, request, response), self._faults)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        for fault, status in _STATUSES.items():
            if self._faults.active(fault):
                return HttpResponse(status, _reason(status).encode(), {"content-type": "text/plain"})
        try:
            return await self._handler(request)
        except ConnectionError:
            raise  # the device goes down instead of answering
        except Exception:
            _log.exception("handler_failed", method=request.method, path=request.path)
            return HttpResponse(500)

    def _encode(self, connection: h11.Connection, request: HttpRequest | None, response: HttpResponse) -> bytes:
        """Head and body; an endless body is announced as a terabyte."""
        endless = self._faults.active(Fault.ENDLESS)
        headers = {"content-type": "application/json"}
        headers |= {name.lower(): value for name, value in response.headers.items()}
        headers["content-length"] = str(1 << 40 if endless else len(response.body))
        if request is None or not self._keep_alive:
            headers["connection"] = "close"
        status = h11.Response(
            status_code=response.status, headers=list(headers.items()), reason=_reason(response.status)
        )
        parts = [connection.send(status) or b""]
        if request is None or request.method != "HEAD":
            parts.append(connection.send(h11.Data(data=response.body)) or b"")
        if not endless:
            parts.append(connection.send(h11.EndOfMessage()) or b"")
        return b"".join(parts)


async def _read_request(
    connection: h11.Connection, reader: asyncio.StreamReader, peer: str, max_body_bytes: int
) -> HttpRequest | None:
    """The next request; None where its body is too large. ConnectionAbortedError when the peer leaves."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65_536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > max_body_bytes:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body), peer)
        else:
            raise ConnectionAbortedError("peer left")


def _request(head: h11.Request, body: bytes, peer: str) -> HttpRequest:
    target = head.target.decode("latin-1")
    parts = urlsplit(target)
    return HttpRequest(
        method=head.method.decode("ascii"),
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers},
        body=body,
        target=target,
        peer=peer,
    )


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
