"""Keeps the spool below its limit: alarm at the low-water mark, then resolution of the oldest hours is given up."""

import sqlite3

from agent.spool import record_table as table
from agent.spool.model import SpoolLimits
from agent.spool.witness import Witness
from shared.clock import Clock
from shared.states import Severity
from shared.wire.codec import pack
from shared.wire.event import Event, EventBatch
from shared.wire.record import RecordKind


class Space:
    """Called by the writer, inside its transactions."""

    def __init__(self, limits: SpoolLimits, witness: Witness, clock: Clock) -> None:
        self._limits = limits
        self._witness = witness
        self._clock = clock
        self._max_pages = limits.max_pages
        self.low = False

    @property
    def held(self) -> bool:
        return self._max_pages != self._limits.max_pages

    def hold(self, connection: sqlite3.Connection) -> None:
        """Grow no more: what the ballast left free belongs to the log, without which nothing could be deleted."""
        self._max_pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={self._max_pages}")

    def let_go(self, connection: sqlite3.Connection) -> None:
        """The ballast is back: grow up to the configured limit."""
        self._max_pages = self._limits.max_pages
        connection.execute(f"PRAGMA max_page_count={self._max_pages}")

    def watch(self, connection: sqlite3.Connection) -> None:
        """Thin out above the low-water mark; raise and clear its alarm."""
        used = table.used_pages(connection) / self._max_pages
        if used >= self._limits.low_water:
            self.thin(connection)
            if not self.low:
                self.low = True
                self.say(connection, "spool.space-low", f"{used:.0%} of the spool is in use")
        elif self.low and used < self._limits.clear_below:
            self.low = False
            self.say(connection, "spool.space-low", f"{used:.0%} of the spool is in use", active=False)

    def thin(self, connection: sqlite3.Connection) -> int:
        """The number of telemetry records given up."""
        count = table.thin(connection, self._limits.thin_rows, self._clock.now_ms())
        self._witness.cover(table.highest_seq(connection))
        return count

    def say(self, connection: sqlite3.Connection, code: str, text: str, *, active: bool = True) -> None:
        """An alarm of the spool's own is a durable record like any other."""
        now_ms = self._clock.now_ms()
        event = Event(now_ms, code, "spool", int(Severity.P2), text, active)
        seq = table.insert(connection, RecordKind.EVENT, pack(EventBatch(events=(event,))), 1, now_ms)
        self._witness.cover(seq)
