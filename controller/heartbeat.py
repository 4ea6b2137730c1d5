"""Tells systemd that the controller is ready, and that its threads still get on with their work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from shared.errors import StorageError
from shared.log import get_logger
from shared.watchdog import Watchdog

LONGEST_GROUP_S = 20.0
_UNWATCHED_S = 10.0

log = get_logger("controller.heartbeat")


class Signs(NamedTuple):
    """What shows progress: `ingest_busy_s` is how long ingest has been at its present group of messages, infinite
    where its thread has ended; `write` returns when the journal's thread has run a transaction. That the event loop
    runs is shown by being here.
    """

    ingest_busy_s: Callable[[], float]
    write: Callable[[], Awaitable[object]]


class Heartbeat:
    """`run` once everything is open, until cancelled. A thread that stands still lets systemd start us anew."""

    def __init__(self, watchdog: Watchdog, signs: Signs) -> None:
        self._watchdog = watchdog
        self._signs = signs

    async def run(self) -> None:
        self._watchdog.ready()
        every_s = _UNWATCHED_S if self._watchdog.period_s is None else self._watchdog.period_s / 3
        try:
            while True:
                await self.beat()
                await asyncio.sleep(every_s)
        finally:
            self._watchdog.stopping()

    async def beat(self) -> None:
        """Look for progress once, and tell of it where there is some."""
        busy_s = self._signs.ingest_busy_s()
        if busy_s > LONGEST_GROUP_S:
            log.error("ingest.stands-still", busy_s=busy_s)
            return
        status = "serving"
        try:
            await self._signs.write()
        except StorageError as error:  # an answer, though a bad one: starting anew would not mend the disk
            status = f"serving, but nothing can be written: {error.detail}"
        self._watchdog.alive(status)
