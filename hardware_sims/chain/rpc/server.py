"""The node behind HTTP, as Bitcoin Core serves it: POST, Basic login, 401 and 405 for everybody else."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.rpc.login import Login
from hardware_sims.chain.rpc.protocol import answer
from hardware_sims.faults import FaultState
from hardware_sims.http import HttpRequest, HttpResponse, HttpServer

_WRONG_LOGIN_PAUSE_S = 0.25  # slows down who guesses
_STOP_AFTER_S = 0.1
_MOST_BODY_BYTES = 32 << 20
_TEXT = {"content-type": "text/html"}


@dataclass(frozen=True, slots=True)
class RpcOptions:
    """Port 0 takes a free one. Without a password the login is a cookie in `cookie_file`."""

    host: str = "127.0.0.1"
    port: int = 0
    user: str = ""
    password: str | None = None
    cookie_file: Path | None = None


class RpcServer:
    """`faults` bends its answers for tests; `stopped` is set when somebody called `stop`."""

    def __init__(self, node: ChainNode, options: RpcOptions) -> None:
        self.faults = FaultState()
        self.stopped = asyncio.Event()
        self._node = node
        self._options = options
        self._login = Login(user=options.user, password=options.password, cookie_file=options.cookie_file)
        self._http = HttpServer(self._handle, self.faults, idle_s=30.0, max_body_bytes=_MOST_BODY_BYTES)

    async def start(self) -> None:
        """AddressTaken where the port is in use."""
        await self._http.start(self._options.host, self._options.port)
        self._login.open()

    async def stop(self) -> None:
        await self._http.stop()
        self._login.close()

    @property
    def port(self) -> int:
        return self._http.port

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        if request.path != "/":
            return HttpResponse(404)
        if request.method != "POST":
            return HttpResponse(405, b"JSONRPC server handles only POST requests", _TEXT)
        authorization = request.headers.get("authorization")
        if not self._login.admits(authorization):
            if authorization is not None:
                await asyncio.sleep(_WRONG_LOGIN_PAUSE_S)
            return HttpResponse(401, b"", {"www-authenticate": 'Basic realm="jsonrpc"'})
        reply = answer(self._node, request.body)
        if reply.stops:
            # The answer leaves first: whoever waits for this closes the listener.
            asyncio.get_running_loop().call_later(_STOP_AFTER_S, self.stopped.set)
        return HttpResponse(reply.status, reply.body)
