"""The HTTP server for console and API: takes its port before anything else is opened, ends in order when it is told."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from controller.settings import Web
from shared.errors import SettingInvalid

GRACE_S = 2.0  # for answers that are on their way and for sockets to say goodbye
_LAST_RESORT_S = 5  # then handlers that did not even notice that nobody listens are cancelled


class WebServer:
    """`open`, then `run` until it is cancelled, then `close`. `serving` is set once requests are answered."""

    def __init__(self, web: Web) -> None:
        self.serving = asyncio.Event()
        self._web = web
        self._socket: socket.socket | None = None

    @property
    def address(self) -> str:
        host, port = self._web.host, self._web.port if self._socket is None else self._socket.getsockname()[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def open(self) -> None:
        """Take the port; SettingInvalid says why that cannot be done."""
        family = socket.AF_INET6 if ":" in self._web.host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._web.host, self._web.port), family=family, backlog=2048)
        except OSError as error:
            place = f"web: {self._web.host}:{self._web.port}"
            if error.errno == errno.EADDRINUSE:
                mend = "another program listens there; stop it, or set another [web] port"
            else:
                mend = f"{error.strerror or error}; correct host and port of [web]"
            raise SettingInvalid(f"{place}: {mend}") from error

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    async def run(self, app: FastAPI) -> None:
        """Answer requests. Cancelled, it lets those under way finish, closes the others and ends the application."""
        assert self._socket is not None, "open it first"
        config = uvicorn.Config(
            app, log_level="warning", log_config=None, lifespan="on", timeout_graceful_shutdown=_LAST_RESORT_S
        )
        server = _Server(config, self.serving)
        answering = asyncio.ensure_future(server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(answering)
        except asyncio.CancelledError:
            server.should_exit = True
            await answering
            raise


class _Server(uvicorn.Server):
    """Signals end the whole controller, so the web server must not take them."""

    def __init__(self, config: uvicorn.Config, serving: asyncio.Event) -> None:
        super().__init__(config)
        self._serving = serving

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._serving.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Who does not end within the grace is hung up on, as if the client had left."""
        hanging_up = asyncio.get_running_loop().call_later(GRACE_S, self._hang_up)
        try:
            await super().shutdown(sockets)
        finally:
            hanging_up.cancel()

    def _hang_up(self) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
