"""Work handed to a group committer, and the way its answer goes back to a thread or a coroutine."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """Work of a thread, and later its result or error."""

    def __init__(self, work: Callable[[sqlite3.Connection], T], *, alone: bool = False) -> None:
        self.work = work
        self.alone = alone
        self.future: Future[T] = Future()
        self.result: T | None = None
        self.error: Exception | None = None

    def begin(self) -> bool:
        """May it run? False where its caller has gone."""
        return self.future.set_running_or_notify_cancel()

    def settle(self) -> None:
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # T may be None itself


class LoopJob(Job[T]):
    """Work of a coroutine: settled on its loop, all of a group in one call."""

    def __init__(self, work: Callable[[sqlite3.Connection], T], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(work)
        self.loop = loop
        self.answer: asyncio.Future[T] = loop.create_future()

    def begin(self) -> bool:
        return not self.answer.cancelled()

    def settle(self) -> None:
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)  # type: ignore[arg-type]  # T may be None itself


def answer(jobs: Iterable[Job[Any]]) -> None:
    """Settle all; one wake-up a loop, however many of its coroutines wait."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job[Any]]] = {}
    for job in jobs:
        if isinstance(job, LoopJob):
            by_loop.setdefault(job.loop, []).append(job)
        else:
            job.settle()
    for loop, waiting in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_settle_all, waiting)


def _settle_all(jobs: Iterable[Job[Any]]) -> None:
    for job in jobs:
        job.settle()
