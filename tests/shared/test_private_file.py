"""Databases are for their owner's eyes, also under the umask of a plain shell."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.storage.sqlite.migration import migrate
from shared.group_commit import GroupCommitter
from shared.private_file import make_private


@pytest.fixture(autouse=True)
def _plain_shell() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_a_group_committed_file_and_its_log_are_private(tmp_path):
    with GroupCommitter(tmp_path / "a.db", schema=("CREATE TABLE IF NOT EXISTS t (x)",)) as committer:
        committer.run(lambda db: db.execute("INSERT INTO t VALUES (1)"))
        assert modes(tmp_path) == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}


def test_a_file_of_an_older_release_becomes_private(tmp_path):
    for name in ("a.db", "a.db-wal"):
        (tmp_path / name).touch(mode=0o644)
    make_private(tmp_path / "a.db")
    assert set(modes(tmp_path).values()) == {0o600}


def test_the_controllers_databases_are_private(tmp_path):
    migrate(tmp_path / "relations.db", "relations")
    assert modes(tmp_path)["relations.db"] == 0o600
