"""The simulated clock: real seconds times a factor that may change while it runs."""

import time
from collections.abc import Callable

MAX_FACTOR = 3_600.0  # an hour a second: as fast as a thousand miners can be stepped


class SimulatedClock:
    """Starts at 0 s; `unix_s` gives the devices' date. The source is a monotonic clock in seconds."""

    def __init__(
        self, factor: float = 1.0, *, start_unix_s: float | None = None, source: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._factor = factor
        self._anchor_real_s = source()
        self._anchor_s = 0.0
        self._start_unix_s = time.time() if start_unix_s is None else start_unix_s

    def now_s(self) -> float:
        return self._anchor_s + (self._source() - self._anchor_real_s) * self._factor

    def unix_s(self, now_s: float) -> float:
        """The date at a simulated time."""
        return self._start_unix_s + now_s

    @property
    def factor(self) -> float:
        return self._factor

    def set_factor(self, factor: float) -> None:
        """Change speed without a jump. A factor of 0 holds time."""
        self._anchor_s, self._anchor_real_s = self.now_s(), self._source()
        self._factor = factor
