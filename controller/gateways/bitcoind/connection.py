"""HTTP/1.1 to one node on kept connections: nothing is followed or unpacked, and an answer has a size limit."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from shared.errors import GatewayUnavailable, SettingInvalid

MOST_BYTES = 256 << 20
_CONNECT_S = 5.0
_IDLE_S = 20.0  # Bitcoin Core closes a connection that rested for 30 s
_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    body: bytes


class NodeConnections:
    """As many connections as there are requests at once; each is kept for the next. Use until `aclose`."""

    def __init__(self, url: str, *, most_bytes: int = MOST_BYTES) -> None:
        """SettingInvalid unless the URL is `http://HOST:PORT`."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingInvalid(f"node url {url!r}: {error}; write http://HOST:PORT") from error
        if parts.scheme != "http" or not host or port is None:
            raise SettingInvalid(f"node url {url!r}: write http://HOST:PORT; a node speaks no TLS by itself")
        self._url = url
        self._host, self._port = host, port
        self._path = parts.path or "/"
        self._most_bytes = most_bytes
        self._idle: list[_Connection] = []

    async def post(self, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """GatewayUnavailable where there is no whole answer."""
        connection = await self._taken()
        try:
            answer = await connection.exchange(self._head(body, headers), body, self._most_bytes)
        except (OSError, EOFError, h11.ProtocolError) as error:
            self._drop_idle()  # whatever ended this one has ended those that rest as well
            raise GatewayUnavailable(
                f"{self._url}: {str(error) or type(error).__name__}; is the node running?"
            ) from error
        finally:
            if connection.reusable:
                self._idle.append(connection)
            else:
                connection.close()
        return answer

    async def aclose(self) -> None:
        self._drop_idle()

    def _head(self, body: bytes, headers: Mapping[str, str]) -> h11.Request:
        lines = {"host": f"{self._host}:{self._port}", "content-length": str(len(body)), **headers}
        return h11.Request(method="POST", target=self._path, headers=list(lines.items()))

    async def _taken(self) -> "_Connection":
        oldest_s = asyncio.get_running_loop().time() - _IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.fresh(oldest_s):
                return connection
            connection.close()
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=_READ_BYTES)
        except (OSError, TimeoutError) as error:
            raise GatewayUnavailable(f"{self._url}: {str(error) or 'no connection'}; is the node running?") from error
        return _Connection(reader, writer)

    def _drop_idle(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self._used_s = 0.0
        self.reusable = False

    def fresh(self, oldest_s: float) -> bool:
        return self._used_s > oldest_s and not self._reader.at_eof() and not self._writer.is_closing()

    async def exchange(self, head: h11.Request, body: bytes, most_bytes: int) -> HttpAnswer:
        """One request and its whole answer. EOFError where it ends early or grows beyond `most_bytes`."""
        self.reusable = False
        http = self._http
        parts = (http.send(head), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage()))
        self._writer.write(b"".join(part or b"" for part in parts))
        await self._writer.drain()
        status, found = 0, bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                found += event.data
                if len(found) > most_bytes:
                    raise EOFError(f"an answer of more than {most_bytes} bytes")
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError("the node closed the connection without an answer")
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
            self._used_s = asyncio.get_running_loop().time()
            self.reusable = True
        return HttpAnswer(status, bytes(found))

    def close(self) -> None:
        self._writer.close()
