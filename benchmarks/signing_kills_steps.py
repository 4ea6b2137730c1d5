"""Which step a signing session has just taken, as the files of journal and ledgers and the line show it."""

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

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
_STEP_OF = {name: step for step, name in (JOURNALED | LEDGERED).items()}
STEPS = (*JOURNALED, *LEDGERED, "asked", "answered")
"""`asked` and `answered` are seen on the line."""


class Taken(NamedTuple):
    """A step and the box that took it; no box where the controller did."""

    step: str
    node: str


class StepWatch:
    """`await_step` returns when a step is taken that was not taken before."""

    def __init__(self, journal: Path, ledgers: Mapping[str, Path], listener: Listener) -> None:
        self._journal = _Growing(journal, "event", "position", "name")
        self._ledgers = {node: _Growing(path, "entry", "seq", "kind") for node, path in ledgers.items()}
        self._listener = listener

    def await_step(self, wanted: Collection[str], within_s: float) -> Taken | None:
        """The first of them; None where nothing like it happened in time.

        Files are open only meanwhile: a reader that outlives a killed writer keeps SQLite from recovering what it left.
        """
        files = (self._journal, *self._ledgers.values())
        with ExitStack() as stack:
            for file in files:
                stack.enter_context(file)
            return self._seen(wanted, within_s)

    def _seen(self, wanted: Collection[str], within_s: float) -> Taken | None:
        asked, answered = Counter(self._listener.requests), Counter(self._listener.answers)
        ends_s = time.monotonic() + within_s
        while time.monotonic() < ends_s:
            for taken in (
                *(Taken(_STEP_OF[name], "") for name in self._journal.fresh() if name in _STEP_OF),
                *self._by_boxes(),
                *(Taken("asked", node) for node in self._listener.requests - asked),
                *(Taken("answered", node) for node in self._listener.answers - answered),
            ):
                if taken.step in wanted:
                    return taken
            time.sleep(_EVERY_S)
        return None

    def _by_boxes(self) -> Iterator[Taken]:
        for node, ledger in self._ledgers.items():
            yield from (Taken(_STEP_OF[kind], node) for kind in ledger.fresh() if kind in _STEP_OF)


class _Growing:
    """The rows behind the last one that was read, by one column."""

    def __init__(self, path: Path, table: str, key: str, column: str) -> None:
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._query = f"SELECT {key}, {column} FROM {table} WHERE {key} > ? ORDER BY {key}"
        self._last_query = f"SELECT coalesce(max({key}), 0) FROM {table}"
        self._file: sqlite3.Connection | None = None
        self._last = 0

    def __enter__(self) -> Self:
        self._file = sqlite3.connect(self._uri, uri=True, timeout=_BUSY_S, isolation_level=None)
        with suppress(sqlite3.OperationalError):  # while a new life takes the file over
            (self._last,) = self._file.execute(self._last_query).fetchone()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def fresh(self) -> list[str]:
        if self._file is None:
            return []
        with suppress(sqlite3.OperationalError):
            rows = self._file.execute(self._query, (self._last,)).fetchall()
            if rows:
                self._last = rows[-1][0]
            return [row[1] for row in rows]
        return []
