"""When tree heads are signed: after so many events, and after so much time if anything was written."""

import asyncio
from collections.abc import Sequence

from nacl.signing import SigningKey

from controller.journal.model import RecordedEvent
from controller.journal.service import Journal
from shared.errors import StorageError
from shared.log import get_logger

EVERY_EVENTS = 1_000
EVERY_S = 60.0
MOST_UNSIGNED = 2 * EVERY_EVENTS  # events may be written while a head is being signed
_log = get_logger("journal.heads")


class HeadSchedule:
    """Signs a head when `every_events` are unsigned or `every_s` have passed; `run` until cancelled.

    A head is signed at the beginning, over what a crash has left, and at cancellation, so that neither leaves an
    unsigned tail: more than MOST_UNSIGNED events without a head are a sign of heads that were taken away.
    """

    def __init__(
        self, journal: Journal, key: SigningKey, *, every_events: int = EVERY_EVENTS, every_s: float = EVERY_S
    ) -> None:
        self._journal = journal
        self._key = key
        self._every_events = every_events
        self._every_s = every_s
        self._unsigned = 0
        self._enough = asyncio.Event()
        journal.subscribe(self._count)

    async def run(self) -> None:
        await self._sign()
        try:
            while True:
                try:
                    async with asyncio.timeout(self._every_s):
                        await self._enough.wait()
                except TimeoutError:
                    pass
                await self._sign()
        finally:
            await self._sign()

    def _count(self, events: Sequence[RecordedEvent]) -> None:
        self._unsigned += len(events)
        if self._unsigned >= self._every_events:
            self._enough.set()

    async def _sign(self) -> None:
        self._unsigned = 0
        self._enough.clear()
        try:
            head = await self._journal.sign_head(self._key)
        except StorageError as error:
            _log.error("head_not_signed", code=error.code, detail=error.detail)
            return
        if head is not None:
            _log.info("head_signed", size=head.size)
