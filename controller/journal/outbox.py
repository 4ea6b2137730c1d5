"""Side effects after their commit: at least once, in order within a lane, with jittered back-off."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from controller.journal.model import Append, Commit, NewEvent, OutboxEntry
from controller.journal.ports import Outbox
from controller.journal.service import Journal
from shared.clock import Clock
from shared.errors import BesError, StorageError
from shared.log import get_logger

Deliver = Callable[[OutboxEntry], Awaitable[Sequence[Append]]]
"""Do the effect and return the events that say so; they are written together with the settlement. Raises a retryable
BesError to be called again later. It must be idempotent: a crash between effect and settlement repeats it."""
Abandon = Callable[[OutboxEntry, str], Sequence[Append]]
"""What the effect's domain has to write down where it will never be done, and why."""

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 30.0
TRIES = 10  # of an effect on which we break; one that the world refuses for now is tried for ever
PAUSE_S = 1.0
ACTOR = "controller"
_BATCH = 64
_log = get_logger("journal.outbox")


class EffectAbandoned(msgspec.Struct, frozen=True):
    """An effect will never be done. Stream `outbox/<kind>`."""

    key: str
    code: str
    detail: str


class Dispatcher:
    """Delivers the entries of one kind; one per kind and process. `run` until cancelled.

    An effect that is refused for good, or that breaks its delivery every time, is settled as abandoned: what comes
    behind it in its lane must not wait for ever.
    """

    def __init__(
        self,
        journal: Journal,
        outbox: Outbox,
        kind: str,
        deliver: Deliver,
        clock: Clock,
        abandon: Abandon = lambda _entry, _detail: (),
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._kind = kind
        self._deliver = deliver
        self._clock = clock
        self._abandon = abandon

    async def run(self) -> None:
        while True:
            written = asyncio.ensure_future(self._journal.wait())
            try:
                if await self.deliver_due() == 0:
                    await self._wait_for_work(written)
            except StorageError as error:  # what was done and not settled is done again, which it allows
                _log.error("outbox_failed", kind=self._kind, code=error.code, detail=error.detail)
                await asyncio.sleep(PAUSE_S)
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
            told = await self._tried(entry)
            if told is None:
                blocked.add(entry.lane)
            else:
                settles.append(entry.entry_id)
                appends += told
        if settles:
            await self._journal.commit(Commit(appends=tuple(appends), settles=tuple(settles)))
        return len(entries)

    async def _tried(self, entry: OutboxEntry) -> Sequence[Append] | None:
        """The facts with which the entry is settled; None where it is tried again later."""
        try:
            return await self._deliver(entry)
        except BesError as error:
            if not error.retryable:
                return self._abandoned(entry, error.code, error.detail)
            await self._postpone(entry, error.code, str(error))
        except Exception as error:
            _log.exception("effect_broke", kind=self._kind, key=entry.key, attempt=entry.attempts + 1)
            detail = f"{type(error).__name__}: {error}"
            if entry.attempts + 1 >= TRIES:
                return self._abandoned(entry, BesError.code, detail)
            await self._postpone(entry, BesError.code, detail)
        return None

    def _abandoned(self, entry: OutboxEntry, code: str, detail: str) -> Sequence[Append]:
        _log.error("effect_abandoned", kind=self._kind, key=entry.key, code=code, detail=detail)
        fact = msgspec.json.encode(EffectAbandoned(entry.key, code, detail))
        event = NewEvent(EffectAbandoned.__name__, fact, ACTOR)
        return (Append(f"outbox/{self._kind}", (event,)), *self._abandon(entry, f"{detail} [{code}]"))

    async def _postpone(self, entry: OutboxEntry, code: str, detail: str) -> None:
        ceiling_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(entry.attempts, 16))
        at_ms = self._clock.now_ms() + int(1000 * ceiling_s * random.uniform(0.5, 1.0))
        _log.warning("effect_postponed", kind=self._kind, key=entry.key, attempt=entry.attempts + 1, code=code)
        await self._outbox.retry(entry.entry_id, at_ms, detail)

    async def _wait_for_work(self, written: "asyncio.Future[None]") -> None:
        due_ms = await self._outbox.next_due_ms(self._kind)
        wait_s = None if due_ms is None else max(0.0, (due_ms - self._clock.now_ms()) / 1000)
        await asyncio.wait((written,), timeout=wait_s)
