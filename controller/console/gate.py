"""The door before the console, in ASGI: session, origin and content policy for requests and sockets alike.

NiceGUI checks neither the session nor the origin of a socket, and keeps talking to pages whose session has ended. So
every frame that comes in is checked again here, and `Doors` closes the pages of a session that ends.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from nicegui import Client

from controller.people.service import People
from controller.people.visit import check_origin, session_token
from shared.errors import OriginRefused

PREFIX = "/console"
GRACE_S = 0.3  # for the browser to leave by itself before its page is deleted
CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'; object-src 'none'"
)
_HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gate:
    """Wraps the whole application and guards what lies below `PREFIX`; the rest passes."""

    def __init__(self, app: App, people: People) -> None:
        self._app = app
        self._people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] not in ("http", "websocket") or not (path == PREFIX or path.startswith(PREFIX + "/")):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._socket(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = self._people.session(session_token(scope))
        if session is None or session.one_time:
            await _turn_away(scope, send, "/login" if session is None else "/login/password")
            return
        try:
            check_origin(scope)
        except OriginRefused:
            await _respond(send, 403, [])
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        gone = False

        async def receive_and_notice() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        try:
            await self._app(scope, receive_and_notice, send_with_policy)
        except RuntimeError:
            if not gone:  # NiceGUI's middleware fails when the browser has left before the answer
                raise

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = self._people.session(session_token(scope))
        try:
            check_origin(scope)
        except OriginRefused:
            session = None
        if session is None or session.one_time:
            await receive()
            await send({"type": "websocket.close", "code": 4401})
            return
        session_id = session.id

        async def receive_while_signed_in() -> Message:
            message = await receive()
            if self._people.session_by_id(session_id) is None:
                return {"type": "websocket.disconnect", "code": 4401}
            return message

        await self._app(scope, receive_while_signed_in, send)


class Doors:
    """Which pages each session has open; they close when it ends."""

    def __init__(self, people: People) -> None:
        self._clients: defaultdict[str, set[Client]] = defaultdict(set)
        self._closing: set[asyncio.Task[None]] = set()
        people.on_revoked(self.close)

    def opened(self, session_id: str, client: Client) -> None:
        self._clients[session_id].add(client)
        client.on_delete(lambda: self._clients[session_id].discard(client))

    def close(self, session_id: str) -> None:
        clients = self._clients.pop(session_id, set())
        if clients:
            task = asyncio.get_running_loop().create_task(_close(clients))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close(clients: set[Client]) -> None:
    for client in clients:
        client.run_javascript("window.location.assign('/login')")
    await asyncio.sleep(GRACE_S)
    for client in clients:
        if not client.is_deleted:
            client.delete()


async def _turn_away(scope: Scope, send: Send, where: str) -> None:
    """A page goes to sign in, anything that a page loads is told 401."""
    path: str = scope["path"]
    if scope["method"] != "GET" or path == f"{PREFIX}/alive" or "/_nicegui" in path:
        await _respond(send, 401, [])
        return
    query = scope.get("query_string", b"").decode("latin-1")
    target = quote(f"{path}?{query}" if query else path, safe="")
    await _respond(send, 303, [(b"location", f"{where}?next={target}".encode())])


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
