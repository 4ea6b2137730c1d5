"""From the network thread to the event loop: bounded, one message at a time, failures counted."""

import asyncio
from collections.abc import Awaitable, Callable

from agent.uplink.model import UplinkCounters
from shared.errors import BesError
from shared.log import get_logger

MOST_BYTES = 16 << 20

Handler = Callable[[bytes], Awaitable[None]]

log = get_logger(__name__)


class Inbox:
    """Messages of one leaf in their order. When `limit` or `MOST_BYTES` wait, newer ones are dropped and counted: each
    has a sender that notices (receipts and orders are repeated, plans are retained).
    """

    def __init__(self, leaf: str, handler: Handler, counters: UplinkCounters, limit: int) -> None:
        self._leaf = leaf
        self._handler = handler
        self._counters = counters
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(limit)
        self._waiting_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._work(), name=f"inbox-{leaf}")

    def put_from_thread(self, payload: bytes) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, payload)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _put(self, payload: bytes) -> None:
        if self._waiting.full() or self._waiting_bytes + len(payload) > MOST_BYTES:
            self._counters.inbox_dropped += 1
            return
        self._waiting_bytes += len(payload)
        self._waiting.put_nowait(payload)

    async def _work(self) -> None:
        while True:
            payload = await self._waiting.get()
            self._waiting_bytes -= len(payload)
            try:
                await self._handler(payload)
            except BesError as error:
                self._counters.refuse(error.code)
                log.warning("uplink.message-refused", leaf=self._leaf, code=error.code, detail=error.detail)
            except Exception:  # one bad message must not end the lane
                self._counters.handler_failures += 1
                log.exception("uplink.handler-failed", leaf=self._leaf)
