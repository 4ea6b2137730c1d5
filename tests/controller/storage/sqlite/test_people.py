"""The people file: private, versioned, honest when it cannot be used."""

import sqlite3
import stat
from pathlib import Path

import pytest

from controller.people.model import Role, Session, User
from controller.storage.sqlite.people import SCHEMA_VERSION, SqlitePeople
from shared.errors import Corrupt, StorageUnavailable

ANNA = User(name="anna", role=Role.VIEWER, password_hash="h", one_time=True, created_at_ms=1)


async def test_rows_come_back_as_they_were_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    session = Session(id="s", user="anna", role=Role.VIEWER, one_time=True, created_at_ms=1, expires_at_ms=2)
    async with SqlitePeople(path) as store:
        await store.add_user(ANNA)
        await store.add_session(session)
    async with SqlitePeople(path) as store:
        assert await store.users() == (ANNA,)
        assert await store.sessions() == (session,)
        await store.remove_user("anna")
        assert await store.sessions() == ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    store = SqlitePeople(path)
    with pytest.raises(Corrupt, match="later release"):
        await store.open()
    await store.close()


async def test_what_is_no_database_and_what_is_not_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    path.write_bytes(b"not a database at all" * 100)
    store = SqlitePeople(path)
    with pytest.raises(StorageUnavailable, match=r"people\.db"):
        await store.open()
    await store.close()
    with pytest.raises(StorageUnavailable, match="not open"):
        await store.users()
