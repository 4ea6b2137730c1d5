"""Schemas as numbered files: `schema/<database>/0001.sql`, applied once each, never edited after a release."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from controller.storage.sqlite.fault import in_our_words
from shared.errors import StorageUnavailable


def migrate(path: Path, database: str) -> None:
    """Bring the file at `path` to the newest schema of `database`; creates it where it does not exist.

    Each step is one transaction. Corrupt where the file is no database, StorageUnavailable where it cannot be opened or
    was written by a newer release.
    """
    steps = _steps(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    with in_our_words(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        present = connection.execute("PRAGMA user_version").fetchone()[0]
        if present > len(steps):
            raise StorageUnavailable(f"{path}: schema {present} is newer than this release knows ({len(steps)})")
        for number, script in enumerate(steps[present:], start=present + 1):
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _steps(database: str) -> list[str]:
    folder = files("controller.storage.sqlite").joinpath("schema", database)
    return [file.read_text(encoding="utf-8") for file in sorted(folder.iterdir(), key=lambda file: file.name)]
