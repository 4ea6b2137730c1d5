"""Which step a signing session has just taken, as the files of journal and ledgers and the line show it."""

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.signing_kills_listener import Listener

_BUSY_S = 5.0
_EVERY_S = 0.002
JOURNALED = {
    "proposed": "SpendingProposed",
    "approved": "ProposalApproved",
    "requested": "RoundStarted",
    "sent": "RequestSent",
    "taken": "AnswerTaken",
    "finalised": "ProposalFinalised",
    "broadcast": "TransactionBroadcast",
    "confirmed": "TransactionConfirmed",
}
"""Steps that the controller writes down, by the names of their events."""
LEDGERED = {"debited": "debit", "signed": "answer"}
"""Steps that a box writes down, by the kinds of their rows."""
STEPS = (*JOURNALED, *LEDGERED, "asked", "answered")
"""`asked` and `answered` are seen on the line."""


class Taken(NamedTuple):
    """A step and the box that took it; no box where the controller did."""

    step: str
    node: str


class StepWatch:
    """`await_step` returns when a step is taken that was not taken before. A context manager's files stay open."""

    def __init__(self, journal: Path, ledgers: Mapping[str, Path], listener: Listener) -> None:
        self._journal = _Growing(journal, "event", "position", "name")
        self._ledgers = {node: _Growing(path, "entry", "seq", "kind") for node, path in ledgers.items()}
        self._listener = listener

    def await_step(self, step: str, within_s: float) -> Taken | None:
        """None where nothing like it happened in time."""
        self._journal.skip()
        for ledger in self._ledgers.values():
            ledger.skip()
        line = self._listener.requests if step == "asked" else self._listener.answers
        before = Counter(line)
        ends_s = time.monotonic() + within_s
        while time.monotonic() < ends_s:
            if step in JOURNALED and JOURNALED[step] in self._journal.fresh():
                return Taken(step, "")
            if step in LEDGERED:
                for node, ledger in self._ledgers.items():
                    if LEDGERED[step] in ledger.fresh():
                        return Taken(step, node)
            if step in ("asked", "answered") and (grown := Counter(line) - before):
                return Taken(step, next(iter(grown)))
            time.sleep(_EVERY_S)
        return None


class _Growing:
    """The rows behind the last one that was read, by one column."""

    def __init__(self, path: Path, table: str, key: str, column: str) -> None:
        self._query = f"SELECT {key}, {column} FROM {table} WHERE {key} > ? ORDER BY {key}"
        self._last_query = f"SELECT coalesce(max({key}), 0) FROM {table}"
        self._file = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None
        )
        self._seen = 0

    def skip(self) -> None:
        with suppress(sqlite3.OperationalError):  # while a new life takes the file over
            (self._seen,) = self._file.execute(self._last_query).fetchone()

    def fresh(self) -> list[str]:
        with suppress(sqlite3.OperationalError):
            rows = self._file.execute(self._query, (self._seen,)).fetchall()
            if rows:
                self._seen = rows[-1][0]
            return [row[1] for row in rows]
        return []
