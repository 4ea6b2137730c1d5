"""One SQLite writer thread with group commit: the durable heart of the agent's spool and the controller's stores.

Callers hand in small functions; the thread runs all that wait inside one transaction and answers them after its
commit, so a hundred callers share one fsync. A function that fails is rolled back alone (savepoint); an error that
costs the whole transaction (full disk, failed commit) reaches every caller of the group. Nothing is answered before it
is on the disk.
"""

import asyncio
import errno
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from shared.commit_job import Job, LoopJob, answer
from shared.errors import BesError, Corrupt, StorageFull, StorageUnavailable
from shared.migration import migrate, steps_in
from shared.private_file import make_private

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_GROUP_LIMIT = 512
_CACHED_STATEMENTS = 256
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)


class GroupCommitter:
    """Owns the writing connection to one database file.

    `pragmas` are set on every open, because most are not stored in the file; `migrations` is a folder of numbered SQL
    files (shared/migration.py), `schema` are statements that may run on every open. Use as a context manager, or
    `start` and `stop`; `stop` finishes all that was handed in before it.
    """

    def __init__(
        self, path: Path, *, schema: Sequence[str] = (), pragmas: Sequence[str] = (), migrations: Path | None = None
    ) -> None:
        self._path = path
        self._schema = tuple(schema)
        self._pragmas = (*_PRAGMAS, *pragmas)
        self._migrations = migrations
        self._waiting: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._held: list[Job[Any] | None] = []  # taken from the queue, but not of this group
        self._gate = threading.Lock()  # between `submit` and `stop`, so that no job is left behind
        self._open = False
        self._thread: threading.Thread | None = None
        self.commits = 0
        self.worst_commit_s = 0.0

    def start(self) -> None:
        """Open the file and begin; raises what opening it raised."""
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name=f"commit-{self._path.stem}", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except Exception:
            self._thread.join()
            self._thread = None
            raise

    def stop(self) -> None:
        with self._gate:
            thread, self._thread = self._thread, None
            self._open = False
            if thread is not None:
                self._waiting.put(None)
        if thread is not None:
            thread.join()

    def __enter__(self) -> "GroupCommitter":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def submit(self, work: Work[T]) -> "Future[T]":
        """Run `work` in the next transaction; the future is done after the commit."""
        job = Job(work)
        self._put(job)
        return job.future

    def run(self, work: Work[T]) -> T:
        """The same for a thread that can wait."""
        return self.submit(work).result()

    async def call(self, work: Work[T]) -> T:
        """The same for a coroutine. Cancelling it before its turn takes `work` out of the queue."""
        job = LoopJob(work, asyncio.get_running_loop())
        self._put(job)
        return await job.answer

    async def ping(self) -> None:
        """Returns when the thread has run a transaction: a sign of its life that writes nothing."""
        await self.call(_nothing)

    def maintain(self, work: Work[T]) -> T:
        """Run `work` alone and outside any transaction, as a checkpoint needs it; for a thread that can wait."""
        job = Job(work, alone=True)
        self._put(job)
        return job.future.result()

    def take_worst_commit_s(self) -> float:
        """Seconds of the slowest COMMIT, that is fsync, since this was last asked."""
        worst, self.worst_commit_s = self.worst_commit_s, 0.0
        return worst

    def _put(self, job: Job[Any]) -> None:
        with self._gate:
            if not self._open:
                raise StorageUnavailable(f"{self._path.name} is not open")
            self._waiting.put(job)

    def _run(self, opened: "Future[None]") -> None:
        try:
            connection = self._connect()
        except Exception as error:  # the caller of `start` gets it, whatever it is
            opened.set_exception(_translated(error, self._path))
            return
        self._open = True
        opened.set_result(None)
        try:
            while group := self._next_group():
                if group[0].alone:
                    _run_alone(connection, group[0], self._path)
                else:
                    self._commit(connection, group)
                answer(group)
        finally:
            connection.close()
            self._refuse_the_rest()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        make_private(self._path)
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS
        )
        try:
            for pragma in self._pragmas:
                connection.execute(pragma).fetchall()
            if self._migrations is not None:
                migrate(connection, steps_in(self._migrations))
            for statement in self._schema:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    def _next_group(self) -> list[Job[Any]]:
        """All that waits, up to the limit; a job that must run alone is a group of its own. Empty at the end."""
        group: list[Job[Any]] = []
        while len(group) < _GROUP_LIMIT:
            try:
                job = self._held.pop() if self._held else self._waiting.get(block=not group)
            except queue.Empty:
                break
            if job is not None and not job.alone:
                group.append(job)
            elif group:
                self._held.append(job)
                break
            else:
                return [] if job is None else [job]
        return group

    def _commit(self, connection: sqlite3.Connection, group: list[Job[Any]]) -> None:
        group = [job for job in group if job.begin()]
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                _run_in_savepoint(connection, job, self._path)
            started_s = time.monotonic()
            connection.execute("COMMIT")
            self.worst_commit_s = max(self.worst_commit_s, time.monotonic() - started_s)
            self.commits += 1
        except Exception as error:  # the transaction is lost: nobody of the group may believe in it
            for job in group:
                job.error = job.error or _translated(error, self._path)
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _refuse_the_rest(self) -> None:
        """Answer what nobody will run any more; empty after an orderly stop."""
        with self._gate:
            self._open = False
            left = [job for job in self._held if job is not None]
            self._held.clear()
            while not self._waiting.empty():
                job = self._waiting.get_nowait()
                if job is not None:
                    left.append(job)
        for job in left:
            job.error = StorageUnavailable(f"{self._path.name} was closed")
        answer(left)


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


def _run_in_savepoint(connection: sqlite3.Connection, job: Job[Any], path: Path) -> None:
    """Raises where SQLite itself gave up the transaction; any other error stays with the job."""
    connection.execute("SAVEPOINT work")
    try:
        job.result = job.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise
        job.error = _translated(error, path)
        connection.execute("ROLLBACK TO work")
    connection.execute("RELEASE work")


def _run_alone(connection: sqlite3.Connection, job: Job[Any], path: Path) -> None:
    if not job.begin():
        return
    try:
        job.result = job.work(connection)
    except Exception as error:  # belongs to the caller
        job.error = _translated(error, path)


def _translated(error: Exception, path: Path) -> Exception:
    if isinstance(error, BesError) or not isinstance(error, sqlite3.Error | OSError):
        return error
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in _DAMAGE:
        return Corrupt(f"{path}: {error}")
    if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return StorageFull(f"{path}: {error}; free some space or raise the limit of this file")
    return StorageUnavailable(f"{path}: {error}")
