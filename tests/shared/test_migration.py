import sqlite3
from pathlib import Path

import pytest

from shared.errors import StorageError, StorageUnavailable
from shared.migration import migrate, steps_in


@pytest.fixture
def connection():
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def folder(tmp_path: Path, **steps: str) -> Path:
    for name, sql in steps.items():
        (tmp_path / f"{name.strip('_')}.sql").write_text(sql)
    return tmp_path


def test_runs_each_step_once(tmp_path, connection):
    steps = folder(tmp_path, _0001="CREATE TABLE a (x); -- first\nCREATE TABLE b (x);")
    assert migrate(connection, steps_in(steps)) == 1
    folder(tmp_path, _0002="ALTER TABLE a ADD COLUMN y;")
    assert migrate(connection, steps_in(steps)) == 2
    assert migrate(connection, steps_in(steps)) == 2
    assert [row[1] for row in connection.execute("PRAGMA table_info(a)")] == ["x", "y"]


def test_a_failing_step_leaves_nothing_behind(connection):
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, ["CREATE TABLE a (x); CREATE TABLE a (x);"])
    assert connection.execute("PRAGMA user_version").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_refuses_the_file_of_a_newer_program(connection):
    connection.execute("PRAGMA user_version=2")
    with pytest.raises(StorageUnavailable, match="schema 2"):
        migrate(connection, ["CREATE TABLE a (x);"])


@pytest.mark.parametrize("names", [(), ("_0002",), ("_0001", "_0003")])
def test_refuses_a_folder_with_holes(tmp_path, names):
    with pytest.raises(StorageError, match="without holes"):
        steps_in(folder(tmp_path, **dict.fromkeys(names, "SELECT 1;")))
