"""Schemas as numbered files: `schema/<database>/0001.sql`, applied once each, never edited after a release."""

import sqlite3
from contextlib import closing
from pathlib import Path

from shared import migration
from shared.errors import Corrupt, StorageUnavailable
from shared.private_file import make_private

_SCHEMAS = Path(__file__).parent / "schema"


def migrate(path: Path, database: str) -> None:
    """Bring the file at `path` to the newest schema of `database`; creates it where it does not exist,
    readable by its owner only.

    Corrupt where the file is no database, StorageUnavailable where it cannot be opened or was written by a newer
    release.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        make_private(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            migration.migrate(connection, _steps(database))
    except sqlite3.DatabaseError as error:
        kind = StorageUnavailable if isinstance(error, sqlite3.OperationalError) else Corrupt
        raise kind(f"{path}: {error}") from error
    except OSError as error:
        raise StorageUnavailable(f"{path}: {error.strerror}") from error


def _steps(database: str) -> list[str]:
    return migration.steps_in(_SCHEMAS / database)
