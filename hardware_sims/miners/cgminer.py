"""The cgminer socket on TCP 4028: one JSON request a connection, one reply ended by NUL, then the connection closes.

A request carries no terminator, so it is complete as soon as it decodes; text that cannot become JSON is answered with
the dialect's refusal. Connections without a request end after ten seconds, requests over 64 KiB at once.
"""

import asyncio
import socket
from typing import Any, Protocol

import msgspec

from hardware_sims.faults import FaultState, deliver
from hardware_sims.tcp import AddressTaken
from shared.log import get_logger

STANDARD_PORT = 4028
IDLE_S = 10.0
MAX_REQUEST_BYTES = 64 * 1024
BACKLOG = 128
ACCEPTS_AT_ONCE = 64
PAUSE_S = 1.0
_log = get_logger("sims.cgminer")
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Dialect(Protocol):
    """What one firmware says on this port."""

    def serves(self) -> bool:
        """False while nobody owns the port: no power, booting, or no mining process."""
        ...

    def answer(self, request: dict[str, Any], client: str) -> bytes:
        """The reply to a JSON object, without its NUL."""
        ...

    def refuse_garbage(self) -> bytes:
        """The reply to a request that is no JSON object."""
        ...


class CgminerSocket:
    """The listener of one device. Replies pass through its faults; `max_clients` addresses may be connected at once.

    It works on bare sockets: at one connection a request, making and closing asyncio's transports would cost more than
    the answers.
    """

    def __init__(
        self, dialect: Dialect, faults: FaultState, *, idle_s: float = IDLE_S, max_clients: int | None = None
    ) -> None:
        self.dialect = dialect
        self.faults = faults
        self.idle_s = idle_s
        self.open: set[_Connection] = set()
        self._max_clients = max_clients
        self._listener: socket.socket | None = None
        self._place = ("", 0)
        self._look_again: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. AddressTaken where the address is in use or may not be bound."""
        self._bind(host, port)

    @property
    def port(self) -> int:
        """Where it listens, for servers that were started on port 0."""
        return self._place[1]

    async def stop(self) -> None:
        """Close the listener and drop every connection. Stopping twice does nothing."""
        self._close_listener()
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        for connection in tuple(self.open):
            connection.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                peer, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor left: look again later, or the loop would spin on this listener
                self._pause(listener)
                return
            if not self.dialect.serves():
                peer.close()
                self._leave()
                return
            if self.faults.cut or not self._admits(address[0]):
                peer.close()
                continue
            peer.setblocking(False)
            _Connection(self, peer, address[0]).receive()

    def _bind(self, host: str, port: int) -> None:
        try:
            self._listener = socket.create_server((host, port), backlog=BACKLOG)
        except OSError as error:
            raise AddressTaken(f"{host}:{port}: {error.strerror or error}; choose another network") from error
        self._place = (host, int(self._listener.getsockname()[1]))
        self._listener.setblocking(False)
        self._listen()

    def _close_listener(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _leave(self) -> None:
        """Nobody owns the port: the system refuses connections from now on, until somebody does again."""
        self._close_listener()
        self._look_again = asyncio.get_running_loop().call_later(PAUSE_S, self._return)

    def _return(self) -> None:
        if not self.dialect.serves():
            self._look_again = asyncio.get_running_loop().call_later(PAUSE_S, self._return)
            return
        self._look_again = None
        self._bind(*self._place)

    def _pause(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(PAUSE_S, self._listen)

    def _listen(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _admits(self, client: str) -> bool:
        """Whether this address may be one more; looks closer only when there are as many connections as addresses."""
        if self._max_clients is None or len(self.open) < self._max_clients:
            return True
        clients = {connection.client for connection in self.open}
        return client in clients or len(clients) < self._max_clients


class _Connection:
    """One client: collects a request, answers it once. Registered with the loop only when it has to wait."""

    __slots__ = ("_deadline", "_delivery", "_owner", "_peer", "_received", "client")

    def __init__(self, owner: CgminerSocket, peer: socket.socket, client: str) -> None:
        self.client = client
        self._owner = owner
        self._peer = peer
        self._received = b""
        self._deadline: asyncio.TimerHandle | None = None
        self._delivery: asyncio.Task[None] | None = None

    def receive(self) -> None:
        """Take what has arrived; answer, wait for more, or give up."""
        try:
            data = self._peer.recv(MAX_REQUEST_BYTES + 1)
        except BlockingIOError:
            self._wait()
            return
        except ConnectionError:
            self.close()
            return
        self._received += data
        if len(self._received) > MAX_REQUEST_BYTES or not self._received:
            self.close()
            return
        try:
            request = _decode(self._received.rstrip(b"\0"))
        except msgspec.DecodeError:
            if data and _may_become_json(self._received):
                self._wait()
            else:
                self._reply(self._owner.dialect.refuse_garbage())
            return
        try:
            reply = self._owner.dialect.answer(request, self.client)
        except Exception:
            _log.exception("dialect_failed", request=request)
            self.close()
        else:
            self._reply(reply)

    def close(self) -> None:
        """Drop the client. A delivery on its way ends by itself and closes then."""
        self._rest()
        if self._delivery is not None:
            self._delivery.cancel()
            return
        self._peer.close()
        self._owner.open.discard(self)

    def _wait(self) -> None:
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._peer, self.receive)
            self._deadline = loop.call_later(self._owner.idle_s, self.close)
            self._owner.open.add(self)

    def _rest(self) -> None:
        """Stop waiting for more of the request."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            asyncio.get_running_loop().remove_reader(self._peer)

    def _reply(self, reply: bytes) -> None:
        """At once where nothing stands against it; a device with faults and a client with a full buffer take a task."""
        self._rest()
        reply += b"\0"
        if self._owner.faults.cut:
            self.close()
            return
        unsent = reply if self._owner.faults.names() else self._send(reply)
        if unsent:
            self._owner.open.add(self)
            self._delivery = asyncio.get_running_loop().create_task(self._deliver(unsent))
        else:
            self.close()

    def _send(self, reply: bytes) -> bytes:
        """What the client's buffer did not take; nothing where the client has left."""
        try:
            return reply[self._peer.send(reply) :]
        except BlockingIOError:
            return reply
        except ConnectionError:
            return b""

    async def _deliver(self, reply: bytes) -> None:
        try:
            _reader, writer = await asyncio.open_connection(sock=self._peer)
            try:
                await deliver(writer, reply, self._owner.faults)
                writer.close()
            except ConnectionError:
                writer.close()
            except asyncio.CancelledError:
                writer.transport.abort()
                raise
        finally:
            self._owner.open.discard(self)


def _may_become_json(text: bytes) -> bool:
    """Whether more bytes could complete an object: it starts like one and was not ended by brace, line or NUL."""
    return text.lstrip()[:1] in (b"{", b"") and text[-1:] not in (b"}", b"\n", b"\0")
