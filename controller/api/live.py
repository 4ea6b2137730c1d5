"""The socket that pushes a site's summary every second. All listeners of a site are sent the same bytes."""

import asyncio

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from controller.api.access import actor_of
from controller.people.model import Permission
from controller.views.ports import Operations
from controller.views.summary import summarise
from shared.errors import AccessError, BesError

PERIOD_S = 1.0
SEND_DEADLINE_S = 5.0
MAX_LISTENERS = 500
CLOSE_ACCESS = 4401
CLOSE_UNKNOWN = 4404
CLOSE_BUSY = 4429


class LiveSocket:
    """`/api/v1/live?site=…`: text messages, each a Summary as JSON. Closed with 4401 when the session ends."""

    def __init__(self, operations: Operations, *, period_s: float = PERIOD_S) -> None:
        self._operations = operations
        self._period_s = period_s
        self._listeners = 0
        self._encoded: dict[str, tuple[str, bytes]] = {}

    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_websocket_route("/live", self.listen)
        return router

    async def listen(self, socket: WebSocket) -> None:
        try:
            actor_of(socket).require(Permission.VIEW)
        except AccessError as error:
            await socket.close(CLOSE_ACCESS, error.code)
            return
        if self._listeners >= MAX_LISTENERS:
            await socket.close(CLOSE_BUSY, "too many listeners")
            return
        await socket.accept()
        self._listeners += 1
        try:
            await self._push(socket, socket.query_params.get("site", ""))
        except (WebSocketDisconnect, TimeoutError):
            pass  # gone, or too slow to be told
        finally:
            self._listeners -= 1

    async def _push(self, socket: WebSocket, site: str) -> None:
        while True:
            try:
                actor_of(socket)
                message = self._message(site)
            except AccessError as error:
                await socket.close(CLOSE_ACCESS, error.code)
                return
            except BesError as error:
                await socket.close(CLOSE_UNKNOWN, error.code)
                return
            async with asyncio.timeout(SEND_DEADLINE_S):
                await socket.send_text(message.decode())
            await asyncio.sleep(self._period_s)

    def _message(self, site: str) -> bytes:
        frame = self._operations.fleet.frame(site)
        kept = self._encoded.get(site)
        if kept is None or kept[0] != frame.snapshot:
            summary = summarise(frame, self._operations.energy.state(site))
            kept = self._encoded[site] = (frame.snapshot, msgspec.json.encode(summary))
        return kept[1]
