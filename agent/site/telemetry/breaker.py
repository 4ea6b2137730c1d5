"""A breaker for each device: one that does not answer is asked less and less often, and never holds up the others."""

import random

_OPEN_AFTER = 2
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 60.0


class Breaker:
    """Closed until `_OPEN_AFTER` failures in a row; then a single probe after a pause that doubles, with jitter."""

    def __init__(self, randomness: random.Random) -> None:
        self._randomness = randomness
        self._failures = 0
        self.open_until_s: float | None = None

    @property
    def closed(self) -> bool:
        return self._failures < _OPEN_AFTER

    def succeeded(self) -> None:
        self._failures = 0
        self.open_until_s = None

    def failed(self, now_s: float) -> None:
        self._failures += 1
        if not self.closed:
            doublings = min(self._failures - _OPEN_AFTER, 10)
            pause_s = min(_FIRST_PAUSE_S * 2**doublings, _LONGEST_PAUSE_S)
            self.open_until_s = now_s + pause_s * self._randomness.uniform(0.8, 1.2)
