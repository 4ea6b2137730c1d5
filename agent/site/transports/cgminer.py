"""The cgminer socket: one JSON request per connection, a reply that ends at NUL or at end of file."""

import asyncio
import ipaddress
import os
import socket
from errno import EINPROGRESS

from agent.site.transports.deadline import REPLY_BYTES, Deadlines, connect_failed, connection_lost
from shared.errors import DeviceError, DeviceTimeout, ProtocolViolation, SettingInvalid

_CHUNK = 65_536


class CgminerTransport:
    """Stateless: nothing stays open between requests. `host` is an IP address, since resolving a name may block."""

    def __init__(
        self, host: str, port: int, *, deadlines: Deadlines | None = None, max_bytes: int = REPLY_BYTES
    ) -> None:
        try:
            version = ipaddress.ip_address(host).version
        except ValueError as error:
            raise SettingInvalid(f"{host!r}: give the miner's IP address, not a name") from error
        self._family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._address = (host, port)
        self._deadlines = deadlines or Deadlines()
        self._max_bytes = max_bytes

    async def ask(self, request: bytes) -> bytes:
        """The reply without its NUL. Raises `Unreachable`, `DeviceTimeout` or `ProtocolViolation`."""
        exchange = _Exchange(self._address, request, self._deadlines, self._max_bytes)
        try:
            exchange.start(self._family)
            return await exchange.reply
        finally:
            exchange.close()


class _Exchange:
    """One request on one bare socket; each step is a callback, so that it costs no stream objects and no task."""

    def __init__(self, address: tuple[str, int], request: bytes, deadlines: Deadlines, max_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[bytes] = self._loop.create_future()
        self._address = address
        self._place = f"{address[0]}:{address[1]}"
        self._unsent = request
        self._deadlines = deadlines
        self._max_bytes = max_bytes
        self._received: list[bytes] = []
        self._size = 0
        self._started_s = self._loop.time()
        self._socket: socket.socket | None = None
        self._fd = -1  # to the loop, which prints a socket object at every look-up
        self._timer: asyncio.TimerHandle | None = None

    def start(self, family: socket.AddressFamily) -> None:
        """Begin to connect; the rest happens in callbacks until `reply` is done."""
        try:
            self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            begun = self._socket.connect_ex(self._address)
        except OSError as error:
            raise connect_failed(self._place, error) from error
        if begun not in (0, EINPROGRESS):
            raise connect_failed(self._place, OSError(begun, os.strerror(begun)))
        self._fd = self._socket.fileno()
        self._loop.add_writer(self._fd, self._connected)
        self._expect("no connection", self._deadlines.connect_s)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            if self._fd >= 0:
                self._loop.remove_writer(self._fd)
                self._loop.remove_reader(self._fd)
            self._socket.close()
            self._socket = None
        self.reply.cancel()

    def _connected(self) -> None:
        assert self._socket is not None
        error_number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error_number:
            self._fail(connect_failed(self._place, OSError(error_number, os.strerror(error_number))))
            return
        self._expect("no answer", self._deadlines.first_byte_s)
        self._loop.add_reader(self._fd, self._readable)
        self._loop.remove_writer(self._fd)
        self._send()

    def _send(self) -> None:
        assert self._socket is not None
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._fail(connection_lost(self._place, error, 0))
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._fd, self._send)
        else:
            self._loop.remove_writer(self._fd)

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(connection_lost(self._place, error, self._size))
            return
        if not self._received and data:
            spent_s = self._loop.time() - self._started_s
            self._expect("no whole reply", max(self._deadlines.total_s - spent_s, 0.0))
        self._take(data)

    def _take(self, data: bytes) -> None:
        end = data.find(b"\0")
        self._received.append(data if end < 0 else data[:end])
        self._size += len(self._received[-1])
        if self._size > self._max_bytes:
            self._fail(ProtocolViolation(f"{self._place}: the reply exceeds {self._max_bytes} bytes"))
        elif end >= 0 or not data:
            self._finish()

    def _finish(self) -> None:
        reply = b"".join(self._received)
        if not reply:
            self._fail(connection_lost(self._place, None, 0))
        elif not self.reply.done():
            self.reply.set_result(reply)

    def _expect(self, missing: str, seconds: float) -> None:
        """Replace the running deadline by the next one."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._late, missing, seconds)

    def _late(self, missing: str, seconds: float) -> None:
        self._fail(DeviceTimeout(f"{self._place}: {missing} within {seconds:.3g} s"))

    def _fail(self, error: DeviceError) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)
