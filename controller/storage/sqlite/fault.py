"""SQLite's errors in our words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Corrupt, StorageError, StorageUnavailable


def translated(error: sqlite3.Error, path: Path) -> StorageError:
    """Corrupt where the file is damaged or no database; StorageUnavailable where it is locked, full or out of reach."""
    passing = isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError)
    kind = StorageUnavailable if passing else Corrupt
    return kind(f"{path}: {error}")


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error
