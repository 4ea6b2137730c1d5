"""A listener that knows its conversations, so that a device can vanish from the network within one call."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from shared.errors import DeviceError

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class AddressTaken(DeviceError):
    """The simulated device cannot listen where it should."""

    code = "device.address-taken"


class TcpServer:
    """Calls `converse` for each connection and closes it afterwards. Connection errors end a conversation quietly."""

    def __init__(self, converse: Converse, *, line_limit: int = 65_536) -> None:
        self._converse = converse
        self._line_limit = line_limit
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen. AddressTaken where the address is in use or may not be bound."""
        try:
            self._server = await asyncio.start_server(self._accepted, host, port, limit=self._line_limit, ssl=tls)
        except OSError as error:
            raise AddressTaken(f"{host}:{port}: {error.strerror or error}; choose another network") from error

    @property
    def port(self) -> int:
        """Where it listens, for servers that were started on port 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and drop all conversations as a power cut does. Stopping twice does nothing."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._converse(reader, writer)
            writer.close()
        except ConnectionError:
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()  # the task ends here: nobody awaits a conversation, `stop` only waits for its end
        finally:
            self._tasks.discard(task)
