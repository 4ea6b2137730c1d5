"""Slows guessing down: so many failures for a name or an address in a span of time, then a pause."""

from collections import deque

from shared.clock import Clock
from shared.errors import TooManyAttempts

FAILURES = 5
SPAN_S = 300.0
MAX_SUBJECTS = 10_000


class Throttle:
    """Counts failures per subject in a sliding span; memory is bounded by forgetting the oldest subjects."""

    def __init__(self, clock: Clock, *, failures: int = FAILURES, span_s: float = SPAN_S) -> None:
        self._clock = clock
        self._failures = failures
        self._span_s = span_s
        self._seen: dict[str, deque[float]] = {}

    def check(self, *subjects: str) -> None:
        """Raises TooManyAttempts with the seconds to wait."""
        now_s = self._clock.monotonic_s()
        for subject in subjects:
            times = self._seen.get(subject)
            while times and now_s - times[0] > self._span_s:
                times.popleft()
            if times and len(times) >= self._failures:
                wait_s = int(self._span_s - (now_s - times[0])) + 1
                raise TooManyAttempts(f"too many failed attempts; try again in {wait_s} s")

    def failed(self, *subjects: str) -> None:
        for subject in subjects:
            self._seen.setdefault(subject, deque(maxlen=self._failures)).append(self._clock.monotonic_s())
        while len(self._seen) > MAX_SUBJECTS:
            del self._seen[next(iter(self._seen))]

    def succeeded(self, *subjects: str) -> None:
        for subject in subjects:
            self._seen.pop(subject, None)
