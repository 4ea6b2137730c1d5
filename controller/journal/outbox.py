"""Side effects after their commit: at least once, in order within a lane, with jittered back-off."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from controller.journal.model import Append, Commit, OutboxEntry
from controller.journal.ports import Outbox
from controller.journal.service import Journal
from shared.clock import Clock
from shared.errors import BesError
from shared.log import get_logger

Deliver = Callable[[OutboxEntry], Awaitable[Sequence[Append]]]
"""Do the effect and return the events that say so; they are written together with the settlement. Raises a retryable
BesError to be called again later. It must be idempotent: a crash between effect and settlement repeats it."""

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 30.0
_BATCH = 64
_log = get_logger("journal.outbox")


class Dispatcher:
    """Delivers the entries of one kind; one per kind and process. `run` until cancelled."""

    def __init__(self, journal: Journal, outbox: Outbox, kind: str, deliver: Deliver, clock: Clock) -> None:
        self._journal = journal
        self._outbox = outbox
        self._kind = kind
        self._deliver = deliver
        self._clock = clock

    async def run(self) -> None:
        while True:
            written = asyncio.ensure_future(self._journal.wait())
            try:
                if await self.deliver_due() == 0:
                    await self._wait_for_work(written)
            finally:
                written.cancel()

    async def deliver_due(self) -> int:
        """Deliver one batch of what is due; returns how many entries were tried."""
        entries = await self._outbox.take(self._kind, self._clock.now_ms(), _BATCH)
        blocked: set[str] = set()
        settles: list[int] = []
        appends: list[Append] = []
        for entry in entries:
            if entry.lane in blocked:
                continue
            try:
                appends += await self._deliver(entry)
            except BesError as error:
                blocked.add(entry.lane)
                await self._postpone(entry, error)
            else:
                settles.append(entry.entry_id)
        if settles:
            await self._journal.commit(Commit(appends=tuple(appends), settles=tuple(settles)))
        return len(entries)

    async def _postpone(self, entry: OutboxEntry, error: BesError) -> None:
        ceiling_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(entry.attempts, 16))
        at_ms = self._clock.now_ms() + int(1000 * ceiling_s * random.uniform(0.5, 1.0))
        _log.warning("effect_postponed", kind=self._kind, key=entry.key, attempt=entry.attempts + 1, code=error.code)
        await self._outbox.retry(entry.entry_id, at_ms, str(error))

    async def _wait_for_work(self, written: "asyncio.Future[None]") -> None:
        due_ms = await self._outbox.next_due_ms(self._kind)
        wait_s = None if due_ms is None else max(0.0, (due_ms - self._clock.now_ms()) / 1000)
        await asyncio.wait((written,), timeout=wait_s)
