"""HTTP to one device: connection and Digest nonce are kept, nothing is followed, nothing is unpacked.

A request is repeated in two cases only: the device answered 401 (so it did nothing), or it had already closed the kept
connection before a `GET` and sent no byte. A write is never repeated for any other reason.
"""

import asyncio

import h11

from agent.site.transports.deadline import REPLY_BYTES, Deadlines
from agent.site.transports.http_auth import BasicAuth, DigestAuth, DigestSession
from agent.site.transports.http_exchange import HttpConnection, HttpReply
from agent.site.transports.tls import Trust
from shared.errors import AuthFailed, DeviceTimeout, Unreachable

__all__ = ["BasicAuth", "DigestAuth", "HttpReply", "HttpTransport"]

JSON = "application/json"
_IDLE_WRITE_S = 1.0  # a connection that rested longer may be closing, and a write cannot be repeated


class HttpTransport:
    """One request at a time; every one ends within `deadlines.total_s`, waiting for its turn included.

    With `trust` it is HTTPS, and without it plain HTTP: neither ever becomes the other.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        auth: BasicAuth | DigestAuth | None = None,
        trust: Trust | None = None,
        deadlines: Deadlines | None = None,
        max_bytes: int = REPLY_BYTES,
    ) -> None:
        self._host, self._port = host, port
        self._trust = trust
        self._place = f"{'http' if trust is None else 'https'}://{host}:{port}"
        self._host_header = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._basic = auth.header() if isinstance(auth, BasicAuth) else None
        self._digest = DigestSession(auth) if isinstance(auth, DigestAuth) else None
        self._deadlines = deadlines or Deadlines()
        self._max_bytes = max_bytes
        self._connection: HttpConnection | None = None
        self._turn = asyncio.Lock()

    async def request(
        self, method: str, path: str, *, body: bytes | None = None, content_type: str = JSON
    ) -> HttpReply:
        """Any status but 401 is a reply; 401 is one only without credentials, otherwise `AuthFailed`.

        Raises `Unreachable`, `DeviceTimeout`, `DeviceUntrusted` or `ProtocolViolation` when there is no whole reply.
        """
        total_s = self._deadlines.total_s
        try:
            async with asyncio.timeout(total_s), self._turn:
                return await self._authenticated(method, path, body, content_type)
        except TimeoutError as error:
            raise DeviceTimeout(f"{self._place}{path}: no whole reply within {total_s:g} s") from error

    async def aclose(self) -> None:
        """Close the kept connection; a later request opens a new one."""
        self._drop()

    async def _authenticated(self, method: str, path: str, body: bytes | None, content_type: str) -> HttpReply:
        digest = self._digest
        authorization = digest.header(method, path) if digest is not None else self._basic
        reply = await self._sent(self._compose(method, path, body, content_type, authorization), body or b"")
        if reply.status != 401 or (digest is None and self._basic is None):
            return reply
        if digest is None:
            raise AuthFailed(f"{self._place}{path}: the device refuses this user and password")
        # First contact, or the nonce has expired: devices that restart forget theirs without saying `stale`.
        digest.accept(reply.headers.get("www-authenticate", ()))
        if method != "GET":
            self._drop()  # the device may close the connection after its 401, and a write cannot be repeated
        authorization = digest.header(method, path)
        reply = await self._sent(self._compose(method, path, body, content_type, authorization), body or b"")
        if reply.status == 401:
            raise AuthFailed(f"{self._place}{path}: the device refuses this user and password")
        return reply

    def _compose(
        self, method: str, path: str, body: bytes | None, content_type: str, authorization: str | None
    ) -> h11.Request:
        headers = [(b"Host", self._host_header.encode()), (b"Accept-Encoding", b"identity")]
        if authorization is not None:
            headers.append((b"Authorization", authorization.encode()))
        if body is not None:
            headers += [(b"Content-Type", content_type.encode()), (b"Content-Length", b"%d" % len(body))]
        return h11.Request(method=method, target=path, headers=headers)

    async def _sent(self, request: h11.Request, body: bytes) -> HttpReply:
        kept = self._kept(is_write=request.method != b"GET")
        if kept is not None:
            try:
                return await self._exchange(kept, request, body)
            except Unreachable:
                if request.method != b"GET" or not kept.silent:
                    raise
        fresh = await HttpConnection.open(self._host, self._port, self._deadlines, self._max_bytes, self._trust)
        return await self._exchange(fresh, request, body)

    def _kept(self, *, is_write: bool) -> HttpConnection | None:
        connection = self._connection
        if connection is None or not connection.reusable:
            return None
        rested_s = asyncio.get_running_loop().time() - connection.last_used_s
        if is_write and rested_s > _IDLE_WRITE_S:
            self._drop()
            return None
        return connection

    async def _exchange(self, connection: HttpConnection, request: h11.Request, body: bytes) -> HttpReply:
        self._connection = connection
        try:
            return await connection.exchange(request, body, self._deadlines.first_byte_s)
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
