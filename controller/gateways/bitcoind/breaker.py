"""A breaker for a remote that does not answer: asked less and less often, and nobody waits for it meanwhile."""

import random
import time
from collections.abc import Callable

from shared.errors import GatewayUnavailable

_OPEN_AFTER = 3
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Breaker:
    """Opens after three failures in a row; then one probe after a pause that doubles, with jitter."""

    def __init__(self, *, randomness: random.Random | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._randomness = randomness or random.Random()
        self._clock = clock
        self._failures = 0
        self._open_until_s = 0.0

    @property
    def paused(self) -> bool:
        """Whether nobody is asked now."""
        return self._open_until_s > self._clock()

    def check(self, place: str) -> None:
        """GatewayUnavailable while it is open."""
        left_s = self._open_until_s - self._clock()
        if left_s > 0:
            raise GatewayUnavailable(f"{place}: did not answer {self._failures} times; asked again in {left_s:.1f} s")

    def succeeded(self) -> None:
        self._failures = 0
        self._open_until_s = 0.0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= _OPEN_AFTER:
            doublings = min(self._failures - _OPEN_AFTER, 10)
            pause_s = min(_FIRST_PAUSE_S * 2**doublings, _LONGEST_PAUSE_S)
            self._open_until_s = self._clock() + pause_s * self._randomness.uniform(0.8, 1.2)
