"""One HTTP/1.1 connection to a device: h11 over an asyncio protocol, one exchange at a time."""

import asyncio
import ssl

import h11
import msgspec

from agent.site.transports.deadline import Deadlines, connect_failed, connection_lost
from agent.site.transports.tls import Trust, handshake_failed
from shared.errors import DeviceError, DeviceTimeout, ProtocolViolation

HEAD_BYTES = 32 * 1024


class HttpReply(msgspec.Struct, frozen=True):
    """`headers` have lower-case names; of a repeated header all values stand in a list."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str:
        """First value, or an empty string."""
        values = self.headers.get(name)
        return values[0] if values else ""


class HttpConnection(asyncio.Protocol):
    """Keeps h11's two state machines in step with the socket; whatever goes wrong makes it unusable."""

    def __init__(self, place: str, max_bytes: int) -> None:
        self._place = place
        self._max_bytes = max_bytes
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[HttpReply] | None = None
        self._first_byte: asyncio.TimerHandle | None = None
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._received = 0
        self.exchanges = 0
        self.last_used_s = 0.0

    @classmethod
    async def open(
        cls, host: str, port: int, deadlines: Deadlines, max_bytes: int, trust: Trust | None
    ) -> "HttpConnection":
        """Connect within `connect_s`; with `trust` by TLS, and DeviceUntrusted before a byte of a request is sent."""
        place = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        within_s = deadlines.connect_s if trust is None else deadlines.connect_s + deadlines.handshake_s
        try:
            async with asyncio.timeout(within_s):
                _, connection = await loop.create_connection(
                    lambda: cls(place, max_bytes), host, port, ssl=None if trust is None else trust.context
                )
        except TimeoutError as error:
            raise DeviceTimeout(f"{place}: no connection within {within_s:g} s") from error
        except ssl.SSLError as error:
            raise handshake_failed(place, error) from error
        except OSError as error:
            raise connect_failed(place, error) from error
        if trust is not None:
            connection._identify(trust)
        return connection

    @property
    def reusable(self) -> bool:
        return self._transport is not None and self._http.our_state is h11.IDLE

    @property
    def silent(self) -> bool:
        """Has not a byte of the current exchange arrived?"""
        return self._received == 0

    async def exchange(self, request: h11.Request, body: bytes, first_byte_s: float) -> HttpReply:
        """Send one request, wait for its reply. The caller bounds the total time."""
        assert self._transport is not None
        self._head, self._received = None, 0
        self._body.clear()
        self.exchanges += 1
        self._waiter = self._loop.create_future()
        self._first_byte = self._loop.call_later(first_byte_s, self._no_first_byte, first_byte_s)
        try:
            self._send(request, body)
            return await self._waiter
        finally:
            self._first_byte.cancel()
            self._waiter = None
            self._recycle()

    def close(self) -> None:
        """Drop the connection, whatever it is doing."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():  # nobody asked
            self.close()
            return
        if self.silent and self._first_byte is not None:
            self._first_byte.cancel()
        self._received += len(data)
        if self._received > self._max_bytes + HEAD_BYTES:
            self._fail(ProtocolViolation(f"{self._place}: the reply exceeds {self._max_bytes} bytes"))
            return
        self._feed(data)

    def eof_received(self) -> bool:
        if self._waiter is not None and not self._waiter.done() and not self.silent:
            self._feed(b"")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        error = exc if isinstance(exc, OSError) else None
        self._fail(connection_lost(self._place, error, self._received))

    def _identify(self, trust: Trust) -> None:
        assert self._transport is not None
        line: ssl.SSLObject = self._transport.get_extra_info("ssl_object")
        try:
            trust.check(self._place, line.getpeercert(binary_form=True))
        except DeviceError:
            self.close()
            raise

    def _send(self, request: h11.Request, body: bytes) -> None:
        assert self._transport is not None
        pieces = [self._http.send(request)]
        if body:
            pieces.append(self._http.send(h11.Data(data=body)))
        pieces.append(self._http.send(h11.EndOfMessage()))
        self._transport.write(b"".join(piece for piece in pieces if piece))

    def _feed(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
                if isinstance(event, h11.EndOfMessage):
                    self._finish()
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            self._fail(ProtocolViolation(f"{self._place}: not HTTP: {error}"))
        except ProtocolViolation as error:
            self._fail(error)

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self._head = event
            _check_head(self._place, event, self._max_bytes)
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > self._max_bytes:
                raise ProtocolViolation(f"{self._place}: the reply exceeds {self._max_bytes} bytes")

    def _finish(self) -> None:
        assert self._head is not None
        headers: dict[str, list[str]] = {}
        for name, value in self._head.headers:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(HttpReply(self._head.status_code, headers, bytes(self._body)))

    def _recycle(self) -> None:
        """Ready for the next exchange, or closed."""
        self.last_used_s = self._loop.time()
        clean = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not clean or self._http.trailing_data[0]:
            self.close()
            return
        self._http.start_next_cycle()

    def _no_first_byte(self, first_byte_s: float) -> None:
        self._fail(DeviceTimeout(f"{self._place}: no answer within {first_byte_s:g} s"))

    def _fail(self, error: DeviceError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.close()


def _check_head(place: str, head: h11.Response, max_bytes: int) -> None:
    """Refuse at the header what the body would prove later: too much, or compressed although we asked for plain."""
    for name, value in head.headers:
        if name == b"content-length" and (len(value) > len(str(max_bytes)) or int(value) > max_bytes):
            raise ProtocolViolation(f"{place}: announces {value[:32].decode('latin-1')} bytes, more than {max_bytes}")
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise ProtocolViolation(f"{place}: sends {value[:32].decode('latin-1')} although only plain was accepted")
