import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from controller.storage.sqlite import migration
from controller.storage.sqlite.migration import migrate
from shared.errors import Corrupt, StorageUnavailable


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("database", ["journal", "relations", "telemetry"])
def test_a_new_file_gets_the_newest_schema_and_a_second_run_changes_nothing(tmp_path: Path, database: str) -> None:
    path = tmp_path / "deep" / "x.db"
    migrate(path, database)
    before = version_of(path)
    migrate(path, database)
    assert before == version_of(path) >= 1


def test_a_step_is_applied_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    steps = ["CREATE TABLE a (x INTEGER) STRICT;", "CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE a (x INTEGER);"]
    monkeypatch.setattr(migration, "_steps", lambda database: steps)
    with pytest.raises(StorageUnavailable, match="already exists"):
        migrate(path, "any")
    assert version_of(path) == 1
    with closing(sqlite3.connect(path)) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["a"]


def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"a letter to my aunt" * 100)
    with pytest.raises(Corrupt, match="not a database"):
        migrate(path, "journal")
    assert path.read_bytes().startswith(b"a letter")


def test_a_file_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    migrate(path, "relations")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 42")
    with pytest.raises(StorageUnavailable, match="schema 42 is newer"):
        migrate(path, "relations")


def test_what_was_handled_before_0002_is_kept_as_if_it_were_handled_now(tmp_path: Path) -> None:
    path = tmp_path / "controller.db"
    first = (Path(migration.__file__).parent / "schema" / "relations" / "0001.sql").read_text()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{first}; PRAGMA user_version = 1;")
        connection.execute("INSERT INTO handled VALUES ('north', 'n1', 'e', 7)")
        connection.commit()
    migrate(path, "relations")
    with closing(sqlite3.connect(path)) as connection:
        (row,) = connection.execute("SELECT site, node, epoch, seq, at_ms / 86400000 FROM handled").fetchall()
    assert row[:4] == ("north", "n1", "e", 7)
    assert 0 <= time.time() // 86_400 - row[4] <= 1
