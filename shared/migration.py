"""Numbered SQL files (`0001.sql`, `0002.sql` …) bring a SQLite file to the schema of this program.

The number of the last one that ran is the file's `user_version`. Files are kept for ever and never edited once
released; a file that a newer program wrote is refused, because its rows may mean something else.
"""

import sqlite3
from pathlib import Path

from shared.errors import StorageError


def migrate(connection: sqlite3.Connection, folder: Path) -> int:
    """Run what is missing, each file in a transaction with its number; the version reached."""
    steps = _steps(folder)
    present: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if present > len(steps):
        raise StorageError(
            f"the file has schema {present}, this program knows {len(steps)}; start the program that wrote it"
        )
    for number, step in enumerate(steps[present:], start=present + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{step.read_text(encoding='utf-8')}\nPRAGMA user_version={number};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return len(steps)


def _steps(folder: Path) -> list[Path]:
    steps = sorted(folder.glob("*.sql"))
    expected = [f"{number:04d}.sql" for number in range(1, len(steps) + 1)]
    if not steps or [step.name for step in steps] != expected:
        raise StorageError(f"{folder}: schema files must be 0001.sql, 0002.sql … without holes")
    return steps
