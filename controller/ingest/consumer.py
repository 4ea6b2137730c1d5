"""Takes events, results, inventories and gaps out of the inbox and hands them to those who understand them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from controller.fleet.model import RecordIdentity
from controller.ingest.model import InboxItem, Refused
from controller.ingest.ports import InboxRoute, TelemetryStore
from shared.errors import BesError
from shared.log import get_logger
from shared.wire.codec import unpack
from shared.wire.record import RecordKind

TRIES = 5
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
_BATCH = 256

log = get_logger(__name__)


class InboxConsumer:
    """`run` for as long as the controller lives; `wake` after each commit that brought rows.

    A row is deleted when its handler has returned. A handler that fails for a reason that may pass is asked again, and
    the later rows of the same node wait behind it; those of other nodes do not. A row that a handler refuses for good,
    or that it breaks on at every try, goes to quarantine, and `on_refused` is told.
    """

    def __init__(self, store: TelemetryStore, routes: Mapping[RecordKind, InboxRoute]) -> None:
        self.handled = 0
        self.refused = 0
        self.on_refused: Callable[[InboxItem, Refused], None] = _nothing
        self._store = store
        self._routes = {int(kind): route for kind, route in routes.items()}
        self._tries: dict[int, int] = {}
        self._there = asyncio.Event()
        self._there.set()  # rows may wait from before a restart

    def wake(self) -> None:
        self._there.set()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._there.wait()
            self._there.clear()
            try:
                waits = await self._sweep()
            except Exception:  # the inbox is durable: nothing is lost by trying again
                log.exception("ingest.inbox-failed")
                waits = True
            failures = failures + 1 if waits else 0
            if waits:
                await asyncio.sleep(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16)))
                self._there.set()

    async def _sweep(self) -> bool:
        """Everything once, by age; does something still wait for another try?"""
        waiting: set[tuple[str, str]] = set()
        after = 0
        while items := await self._store.inbox(_BATCH, after=after, kinds=tuple(self._routes)):
            await self._take(items, waiting)
            after = items[-1].number
        return bool(waiting)

    async def _take(self, items: Sequence[InboxItem], waiting: set[tuple[str, str]]) -> None:
        done: list[int] = []
        try:
            for item in items:
                if (item.site, item.node) in waiting:
                    continue
                refused = await self._hand_over(item)
                if refused is None:
                    done.append(item.number)
                elif refused.again:
                    waiting.add((item.site, item.node))
                else:
                    await self._set_apart(item, refused)
        finally:
            if done:
                await self._store.inbox_done(done)

    async def _hand_over(self, item: InboxItem) -> Refused | None:
        """None where it was taken."""
        route = self._routes[item.kind]
        try:
            message = unpack(item.body, route.message)
            await route.handle(item.site, item.node, message, RecordIdentity(item.epoch, item.seq))
        except BesError as error:
            if error.retryable:
                log.warning("ingest.not-taken", site=item.site, node=item.node, code=error.code, detail=error.detail)
            return Refused(error.code, error.detail, again=error.retryable)
        except Exception as error:  # a bug of ours, or a message that nobody foresaw
            tries = self._tries[item.number] = self._tries.get(item.number, 0) + 1
            log.exception("ingest.handler-failed", site=item.site, node=item.node, number=item.number, tries=tries)
            return Refused(BesError.code, f"{type(error).__name__}: {error}", again=tries < TRIES)
        self._tries.pop(item.number, None)
        self.handled += 1
        return None

    async def _set_apart(self, item: InboxItem, refused: Refused) -> None:
        await self._store.inbox_refused(item, refused)
        self._tries.pop(item.number, None)
        self.refused += 1
        log.error("ingest.refused", site=item.site, node=item.node, code=refused.code, detail=refused.detail)
        self.on_refused(item, refused)


def _nothing(_item: InboxItem, _refused: Refused) -> None:
    pass
