"""One SQLite writer thread with group commit: the durable heart of the agent's spool and the controller's journal.

Callers hand in small functions; the thread runs all that wait inside one transaction and answers them after its
commit, so a hundred callers share one fsync. A function that fails is rolled back alone (savepoint); an error of the
commit reaches every caller of the group. Nothing is answered before it is on the disk.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import BesError, Corrupt, StorageUnavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_GROUP_LIMIT = 512
_DAMAGE = ("malformed", "not a database", "disk image")
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)


class GroupCommitter:
    """Owns the writing connection to one database file.

    `pragmas` are set on every open, because most are not stored in the file. Use as a context manager, or `start` and
    `stop`; `stop` finishes all that was handed in before it.
    """

    def __init__(self, path: Path, *, schema: Sequence[str] = (), pragmas: Sequence[str] = ()) -> None:
        self._path = path
        self._schema = tuple(schema)
        self._pragmas = (*_PRAGMAS, *pragmas)
        self._waiting: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._opened: Future[None] = Future()
        self.commits = 0
        self.worst_commit_s = 0.0

    def start(self) -> None:
        """Open the file and begin; raises what opening it raised."""
        self._thread = threading.Thread(target=self._run, name=f"commit-{self._path.stem}", daemon=True)
        self._thread.start()
        self._opened.result()

    def stop(self) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> "GroupCommitter":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def submit(self, work: Work[T]) -> "Future[T]":
        """Run `work` in the next transaction; the future is done after the commit."""
        if self._thread is None:
            raise StorageUnavailable(f"{self._path.name} is not open")
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return future

    def run(self, work: Work[T]) -> T:
        """The same for a thread that can wait."""
        return self.submit(work).result()

    async def call(self, work: Work[T]) -> T:
        """The same for a coroutine."""
        return await asyncio.wrap_future(self.submit(work))

    def _run(self) -> None:
        try:
            connection = self._open()
        except (sqlite3.Error, OSError) as error:
            self._opened.set_exception(_translated(error, self._path))
            return
        self._opened.set_result(None)
        try:
            while (group := self._next_group()) is not None:
                self._commit(connection, group)
        finally:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in self._pragmas:
            connection.execute(pragma)
        for statement in self._schema:
            connection.execute(statement)
        return connection

    def _next_group(self) -> list[tuple[Work[Any], Future[Any]]] | None:
        first = self._waiting.get()
        if first is None:
            return None
        group = [first]
        while len(group) < _GROUP_LIMIT:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._waiting.put(None)
                break
            group.append(item)
        return group

    def _commit(self, connection: sqlite3.Connection, group: list[tuple[Work[Any], Future[Any]]]) -> None:
        group = [(work, future) for work, future in group if future.set_running_or_notify_cancel()]
        done: list[tuple[Future[Any], Any]] = []
        started_s = time.monotonic()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work, future in group:
                connection.execute("SAVEPOINT work")
                try:
                    result = work(connection)
                except Exception as error:
                    connection.execute("ROLLBACK TO work")
                    future.set_exception(_translated(error, self._path))
                else:
                    done.append((future, result))
                connection.execute("RELEASE work")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for _, future in group:
                if not future.done():
                    future.set_exception(_translated(error, self._path))
            return
        self.commits += 1
        self.worst_commit_s = max(self.worst_commit_s, time.monotonic() - started_s)
        for future, result in done:
            future.set_result(result)


def _translated(error: Exception, path: Path) -> Exception:
    if isinstance(error, BesError) or not isinstance(error, sqlite3.Error | OSError):
        return error
    if isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _DAMAGE):
        return Corrupt(f"{path}: {error}")
    return StorageUnavailable(f"{path}: {error}")
