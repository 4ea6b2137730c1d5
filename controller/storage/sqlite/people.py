"""Users, sessions and program tokens, in a small SQLite file of their own that can be guarded and backed up apart."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
import msgspec

from controller.people.model import ProgramToken, Session, User
from shared.errors import Conflict, Corrupt, StorageUnavailable
from shared.private_file import make_private

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE user (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, password_hash TEXT NOT NULL,
  one_time INTEGER NOT NULL, created_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE session (
  id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE, role TEXT NOT NULL,
  one_time INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE program_token (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, scope TEXT NOT NULL,
  created_by TEXT NOT NULL, created_at_ms INTEGER NOT NULL
) STRICT;
"""
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000")

T = TypeVar("T", bound=msgspec.Struct)


class SqlitePeople:
    """Implements `PeopleStore`. Use as an async context manager, or `open` and `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._data_version = 0

    async def open(self) -> None:
        """Creates the file, readable by its owner only; raises Corrupt for a schema of a later release."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            make_private(self._path)
            self._connection = await aiosqlite.connect(self._path)
            for pragma in _PRAGMAS:
                await self._connection.execute(f"PRAGMA {pragma}")
            await self._migrate(self._connection)
            self._data_version = await self._read_data_version()
        except (aiosqlite.Error, OSError) as error:
            raise StorageUnavailable(f"{self._path}: {error}") from error

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def users(self) -> tuple[User, ...]:
        return await self._rows(User, "SELECT * FROM user ORDER BY name")

    async def user(self, name: str) -> User | None:
        return next(iter(await self._rows(User, "SELECT * FROM user WHERE name = ?", name)), None)

    async def add_user(self, user: User) -> None:
        await self._insert("user", user, f"user {user.name!r} exists; choose another name")

    async def replace_user(self, user: User) -> None:
        await self._write(
            "UPDATE user SET role = ?, password_hash = ?, one_time = ? WHERE name = ?",
            user.role,
            user.password_hash,
            user.one_time,
            user.name,
        )

    async def remove_user(self, name: str) -> None:
        await self._write("DELETE FROM user WHERE name = ?", name)

    async def sessions(self) -> tuple[Session, ...]:
        return await self._rows(Session, "SELECT * FROM session")

    async def changed_elsewhere(self) -> bool:
        before, self._data_version = self._data_version, await self._read_data_version()
        return before != self._data_version

    async def add_session(self, session: Session) -> None:
        await self._insert("session", session, "this session exists")

    async def remove_sessions(self, ids: tuple[str, ...]) -> None:
        for session_id in ids:
            await self._write("DELETE FROM session WHERE id = ?", session_id)

    async def tokens(self) -> tuple[ProgramToken, ...]:
        return await self._rows(ProgramToken, "SELECT * FROM program_token ORDER BY name")

    async def add_token(self, token: ProgramToken) -> None:
        await self._insert("program_token", token, f"token {token.name!r} exists; revoke it first")

    async def remove_token(self, token_id: str) -> None:
        await self._write("DELETE FROM program_token WHERE id = ?", token_id)

    async def _migrate(self, connection: aiosqlite.Connection) -> None:
        async with connection.execute("PRAGMA user_version") as cursor:
            row = await cursor.fetchone()
        version = row[0] if row else 0
        if version > SCHEMA_VERSION:
            raise Corrupt(
                f"{self._path}: schema {version} is from a later release than {SCHEMA_VERSION}; upgrade first"
            )
        if version == 0:
            await connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    async def _read_data_version(self) -> int:
        """A number that changes with each commit of another connection (SQLite's PRAGMA data_version)."""
        async with self._open_connection().execute("PRAGMA data_version") as cursor:
            row = await cursor.fetchone()
        return 0 if row is None else int(row[0])

    async def _rows(self, kind: type[T], statement: str, *values: object) -> tuple[T, ...]:
        try:
            async with self._open_connection().execute(statement, values) as cursor:
                names = [column[0] for column in cursor.description]
                rows: Iterable[Any] = await cursor.fetchall()
        except aiosqlite.Error as error:
            raise StorageUnavailable(f"{self._path}: {error}") from error
        return tuple(msgspec.convert(dict(zip(names, row, strict=True)), kind, strict=False) for row in rows)

    async def _insert(self, table: str, row: msgspec.Struct, conflict: str) -> None:
        fields = msgspec.structs.asdict(row)
        marks = ", ".join("?" * len(fields))
        statement = f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({marks})"  # noqa: S608 - names are ours
        try:
            await self._write(statement, *fields.values())
        except aiosqlite.IntegrityError as error:
            raise Conflict(conflict) from error

    async def _write(self, statement: str, *values: object) -> None:
        connection = self._open_connection()
        try:
            await connection.execute(statement, values)
            await connection.commit()
        except aiosqlite.IntegrityError:
            await connection.rollback()
            raise
        except aiosqlite.Error as error:
            raise StorageUnavailable(f"{self._path}: {error}") from error

    def _open_connection(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise StorageUnavailable(f"{self._path.name} is not open")
        return self._connection
