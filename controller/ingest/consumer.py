"""Takes events, results, inventories and gaps out of the inbox and hands them to those who understand them."""

import asyncio
from collections.abc import Mapping, Sequence

from controller.fleet.model import RecordIdentity
from controller.ingest.model import InboxItem
from controller.ingest.ports import InboxRoute, TelemetryStore
from shared.errors import BesError
from shared.log import get_logger
from shared.wire.codec import unpack
from shared.wire.record import RecordKind

_BATCH = 256
_PAUSE_S = 1.0

log = get_logger(__name__)


class InboxConsumer:
    """`run` for as long as the controller lives; `wake` after each commit that brought rows.

    A row is deleted when its handler has returned. A handler that fails for a reason that may pass is tried again and
    keeps the order; one that refuses the message for good is counted and the row goes.
    """

    def __init__(self, store: TelemetryStore, routes: Mapping[RecordKind, InboxRoute]) -> None:
        self.handled = 0
        self.refused = 0
        self._store = store
        self._routes = dict(routes)
        self._there = asyncio.Event()
        self._there.set()  # rows may wait from before a restart

    def wake(self) -> None:
        self._there.set()

    async def run(self) -> None:
        while True:
            await self._there.wait()
            self._there.clear()
            try:
                while items := await self._store.inbox(_BATCH):
                    await self._take(items)
            except Exception:  # the inbox is durable: nothing is lost by trying again
                log.exception("ingest.inbox-failed")
                await asyncio.sleep(_PAUSE_S)
                self._there.set()

    async def _take(self, items: Sequence[InboxItem]) -> None:
        done: list[int] = []
        try:
            for item in items:
                await self._hand_over(item)
                done.append(item.number)
        finally:
            if done:
                await self._store.inbox_done(done)

    async def _hand_over(self, item: InboxItem) -> None:
        route = self._routes.get(RecordKind(item.kind))
        if route is None:
            return
        try:
            message = unpack(item.body, route.message)
            await route.handle(item.site, item.node, message, RecordIdentity(item.epoch, item.seq))
        except BesError as error:
            if error.retryable:
                raise
            self.refused += 1
            log.warning("ingest.refused", site=item.site, node=item.node, code=error.code, detail=error.detail)
        else:
            self.handled += 1
