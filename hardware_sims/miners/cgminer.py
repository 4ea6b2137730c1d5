"""The cgminer socket on TCP 4028: one JSON request a connection, one reply ended by NUL, then the connection closes.

A request carries no terminator, so it is complete as soon as it decodes; text that cannot become JSON is answered with
the dialect's refusal. Connections without a request end after ten seconds, requests over 64 KiB at once.
"""

import asyncio
from typing import Any, Protocol

import msgspec

from hardware_sims.faults import FaultState, deliver
from hardware_sims.tcp import AddressTaken

STANDARD_PORT = 4028
IDLE_S = 10.0
MAX_REQUEST_BYTES = 64 * 1024
BACKLOG = 128
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Dialect(Protocol):
    """What one firmware says on this port."""

    def serves(self) -> bool:
        """False while a connection gets no answer: no power, booting, or nobody owns the port."""
        ...

    def answer(self, request: dict[str, Any], client: str) -> bytes:
        """The reply to a JSON object, without its NUL."""
        ...

    def refuse_garbage(self) -> bytes:
        """The reply to a request that is no JSON object."""
        ...


class CgminerSocket:
    """The listener of one device. Replies pass through its faults; `max_clients` addresses may be connected at once."""

    def __init__(
        self, dialect: Dialect, faults: FaultState, *, idle_s: float = IDLE_S, max_clients: int | None = None
    ) -> None:
        self.dialect = dialect
        self.faults = faults
        self.idle_s = idle_s
        self._max_clients = max_clients
        self.open: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. AddressTaken where the address is in use or may not be bound."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self, loop), host, port, backlog=BACKLOG)
        except OSError as error:
            raise AddressTaken(f"{host}:{port}: {error.strerror or error}; choose another network") from error

    @property
    def port(self) -> int:
        """Where it listens, for servers that were started on port 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def admits(self, client: str) -> bool:
        """Whether this address may be one more; looks closer only when there are as many connections as addresses."""
        if self._max_clients is None or len(self.open) < self._max_clients:
            return True
        clients = {connection.client for connection in self.open}
        return client in clients or len(clients) < self._max_clients

    async def stop(self) -> None:
        """Close the listener and drop every connection. Stopping twice does nothing."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self.open):
            connection.abort()


class _Connection(asyncio.Protocol):
    """One client: collects a request, answers it once."""

    __slots__ = ("_deadline", "_delivery", "_loop", "_received", "_socket", "_transport", "client")

    def __init__(self, socket: CgminerSocket, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = socket
        self._loop = loop
        self._received = b""
        self._delivery: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.client = str((transport.get_extra_info("peername") or ("",))[0])
        self._deadline = self._loop.call_later(self._socket.idle_s, self.abort)
        refused = self._socket.faults.cut or not self._socket.dialect.serves() or not self._socket.admits(self.client)
        self._socket.open.add(self)
        if refused:
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._delivery is not None or self._transport.is_closing():
            return
        self._received += data
        if len(self._received) > MAX_REQUEST_BYTES:
            self.abort()
            return
        try:
            request = _decode(self._received.rstrip(b"\0"))
        except msgspec.DecodeError:
            if not _may_become_json(self._received):
                self._send(self._socket.dialect.refuse_garbage())
            return
        self._send(self._socket.dialect.answer(request, self.client))

    def eof_received(self) -> bool:
        """A client may close its half after the request; an unfinished request is garbage then."""
        if self._received and self._delivery is None and not self._transport.is_closing():
            self._send(self._socket.dialect.refuse_garbage())
        return self._delivery is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._deadline.cancel()
        self._socket.open.discard(self)

    def abort(self) -> None:
        if self._delivery is not None:
            self._delivery.cancel()
        self._transport.abort()

    def _send(self, reply: bytes) -> None:
        self._deadline.cancel()
        if self._socket.faults.cut:
            self.abort()
        elif self._socket.faults.names():
            self._delivery = self._loop.create_task(self._deliver(reply + b"\0"))
        else:
            self._transport.write(reply + b"\0")
            self._transport.close()

    async def _deliver(self, reply: bytes) -> None:
        """The way of a device with faults, which may wait and may end the connection."""
        stream = asyncio.StreamReaderProtocol(asyncio.StreamReader())
        self._transport.set_protocol(stream)
        stream.connection_made(self._transport)
        writer = asyncio.StreamWriter(self._transport, stream, None, self._loop)
        try:
            await deliver(writer, reply, self._socket.faults)
            writer.close()
        except ConnectionError:
            writer.close()
        finally:
            self._socket.open.discard(self)


def _may_become_json(text: bytes) -> bool:
    """Whether more bytes could complete an object: it starts like one and was not ended by brace, line or NUL."""
    return text.lstrip()[:1] in (b"{", b"") and text[-1:] not in (b"}", b"\n", b"\0")
