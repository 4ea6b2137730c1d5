"""Group commit: one transaction for many callers, each with its own answer, nothing answered before the commit."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from shared.errors import Corrupt, StorageFull, StorageUnavailable
from shared.group_commit import GroupCommitter

SCHEMA = ("CREATE TABLE IF NOT EXISTS t (x INTEGER UNIQUE, body BLOB)",)


@pytest.fixture
def committer(tmp_path: Path) -> Iterator[GroupCommitter]:
    with GroupCommitter(tmp_path / "t.db", schema=SCHEMA) as opened:
        yield opened


def insert(x: int, body: bytes = b""):
    return lambda connection: connection.execute("INSERT INTO t VALUES (?, ?)", (x, body)).rowcount


def count(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM t").fetchone()[0]


class Hold:
    """Keeps the writer busy, so that what is handed in meanwhile becomes one group."""

    def __init__(self, committer: GroupCommitter) -> None:
        self._go = threading.Event()
        began = threading.Event()

        def wait(_connection: sqlite3.Connection) -> None:
            began.set()
            assert self._go.wait(10)

        self.future: Future[None] = committer.submit(wait)
        assert began.wait(10)

    def release(self) -> None:
        self._go.set()


async def test_callers_share_one_commit(committer):
    hold = Hold(committer)
    before = committer.commits
    tasks = [asyncio.create_task(committer.call(insert(x))) for x in range(100)]
    await asyncio.sleep(0)
    hold.release()
    assert await asyncio.gather(*tasks) == [1] * 100
    assert committer.commits == before + 2  # the one that held, and the group
    assert committer.take_worst_commit_s() > 0
    assert committer.worst_commit_s == 0


def test_what_is_answered_is_in_the_file(tmp_path, committer):
    committer.run(insert(1))
    other = sqlite3.connect(tmp_path / "t.db")
    assert count(other) == 1
    other.close()


def test_a_failing_work_costs_only_itself(committer):
    hold = Hold(committer)
    good, bad, also_good = committer.submit(insert(1)), committer.submit(insert(1)), committer.submit(insert(2))
    hold.release()
    assert good.result(5) == 1
    with pytest.raises(StorageUnavailable, match="UNIQUE"):
        bad.result(5)
    assert also_good.result(5) == 1
    assert committer.run(count) == 2


def test_an_error_of_ours_reaches_the_caller_unchanged(committer):
    def refuse(_connection: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        committer.run(refuse)
    assert committer.run(insert(1)) == 1


def test_a_full_file_costs_the_group_and_says_so(tmp_path):
    with GroupCommitter(tmp_path / "t.db", schema=SCHEMA, pragmas=("PRAGMA max_page_count=8",)) as committer:
        hold = Hold(committer)
        futures = [committer.submit(insert(x, bytes(6_000))) for x in range(20)]
        hold.release()
        errors = [future.exception(5) for future in futures]
        stored = committer.run(count)
        assert stored == sum(error is None for error in errors)  # an answer without error means stored
        assert any(isinstance(error, StorageFull) for error in errors)
        assert all(error is None or isinstance(error, StorageFull) for error in errors)
        assert committer.run(lambda connection: connection.execute("DELETE FROM t").rowcount) == stored


def test_a_failed_commit_reaches_every_caller(tmp_path):
    schema = (
        "CREATE TABLE IF NOT EXISTS parent (x INTEGER PRIMARY KEY)",
        "CREATE TABLE IF NOT EXISTS child (x INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
    )
    with GroupCommitter(tmp_path / "t.db", schema=schema) as committer:
        hold = Hold(committer)
        fine = committer.submit(lambda connection: connection.execute("INSERT INTO parent VALUES (1)").rowcount)
        orphan = committer.submit(lambda connection: connection.execute("INSERT INTO child VALUES (9)").rowcount)
        hold.release()
        for future in (fine, orphan):
            with pytest.raises(StorageUnavailable, match="FOREIGN KEY"):
                future.result(5)
        assert committer.run(lambda connection: connection.execute("SELECT count(*) FROM parent").fetchone()) == (0,)


async def test_a_cancelled_caller_is_not_run(committer):
    hold = Hold(committer)
    gone = asyncio.create_task(committer.call(insert(1)))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    stays = committer.submit(insert(2))
    hold.release()
    assert await asyncio.wrap_future(stays) == 1
    assert await committer.call(count) == 1


def test_stop_finishes_what_was_handed_in(tmp_path):
    committer = GroupCommitter(tmp_path / "t.db", schema=SCHEMA)
    committer.start()
    hold = Hold(committer)
    futures = [committer.submit(insert(x)) for x in range(10)]
    hold.release()
    committer.stop()
    assert [future.result(0) for future in futures] == [1] * 10
    with pytest.raises(StorageUnavailable, match="not open"):
        committer.run(count)
    with committer:
        assert committer.run(count) == 10


def test_maintenance_runs_outside_a_transaction_and_in_its_turn(committer):
    hold = Hold(committer)
    before, after = committer.submit(insert(1)), None
    seen: list[tuple[bool, int]] = []

    def checkpoint(connection: sqlite3.Connection) -> None:
        seen.append((connection.in_transaction, count(connection)))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    caller = threading.Thread(target=committer.maintain, args=(checkpoint,))
    caller.start()
    while committer._waiting.qsize() < 2:
        pass
    after = committer.submit(insert(2))
    hold.release()
    caller.join()
    assert before.result(5) == after.result(5) == 1
    assert seen == [(False, 1)]


def test_a_file_that_is_no_database_is_corrupt(tmp_path):
    path = tmp_path / "t.db"
    path.write_bytes(b"not a database at all" * 500)
    committer = GroupCommitter(path, schema=SCHEMA)
    with pytest.raises(Corrupt):
        committer.start()
    with pytest.raises(StorageUnavailable):
        committer.run(count)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        GroupCommitter(tmp_path / "file" / "t.db").start()


def test_every_durable_pragma_is_set(committer):
    def pragmas(connection: sqlite3.Connection) -> tuple[str, int]:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        return mode, connection.execute("PRAGMA synchronous").fetchone()[0]

    assert committer.run(pragmas) == ("wal", 2)
