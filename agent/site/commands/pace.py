"""How fast a site may be ordered about, whoever orders: mass actions must not jolt the power system."""

from collections import deque

from shared.clock import Clock

_MINUTE_S = 60.0


class Pace:
    """At most `per_minute` orders in any minute."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._recent: deque[tuple[float, int]] = deque()
        self._count = 0

    def allows(self, orders: int) -> bool:
        """Count them in where they fit."""
        now_s = self._clock.monotonic_s()
        while self._recent and now_s - self._recent[0][0] > _MINUTE_S:
            self._count -= self._recent.popleft()[1]
        if self._count + orders > self.per_minute:
            return False
        self._recent.append((now_s, orders))
        self._count += orders
        return True
