"""Numbered SQL files (`0001.sql`, `0002.sql` …) bring a SQLite file to the schema of this program.

The number of the last one that ran is the file's `user_version`. Files are kept for ever and never edited once
released; a file that a newer program wrote is refused, because its rows may mean something else.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from shared.errors import StorageError, StorageUnavailable


def steps_in(folder: Path) -> list[str]:
    """The SQL of each step, in order. StorageError where the numbers have holes."""
    files = sorted(folder.glob("*.sql"))
    expected = [f"{number:04d}.sql" for number in range(1, len(files) + 1)]
    if not files or [file.name for file in files] != expected:
        raise StorageError(f"{folder}: schema files must be 0001.sql, 0002.sql … without holes")
    return [file.read_text(encoding="utf-8") for file in files]


def migrate(connection: sqlite3.Connection, steps: Sequence[str]) -> int:
    """Run the steps that are missing, each in a transaction with its number; the version reached."""
    present: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if present > len(steps):
        place = connection.execute("PRAGMA database_list").fetchone()[2]
        raise StorageUnavailable(
            f"{place}: schema {present} is newer than this release knows ({len(steps)}); "
            "start the release that wrote the file"
        )
    for number, step in enumerate(steps[present:], start=present + 1):
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return len(steps)
