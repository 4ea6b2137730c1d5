"""Time as a port, so that every rule about time can be tested without waiting."""

import time
from datetime import UTC, datetime
from typing import NamedTuple, Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """UTC wall time in milliseconds since 1970; may step."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back; comparable only inside one process."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class Instant(NamedTuple):
    """One moment on both clocks: wall time for what is shown or signed, monotonic time for every age and timer."""

    wall_ms: int
    monotonic_s: float


def instant(clock: Clock) -> Instant:
    """Now."""
    return Instant(clock.now_ms(), clock.monotonic_s())


def utc(ms: int) -> datetime:
    """The aware UTC datetime of a wall time in milliseconds."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC)
