"""Time that nobody can turn back: the wall clock, but never earlier than the last signed time of the controller."""

from shared.clock import Clock


class TrustedTime:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._floor_ms = 0
        self._floor_at_s = clock.monotonic_s()

    def heard(self, signed_ms: int) -> None:
        """A verified message was issued at this time; the floor only moves forward."""
        if signed_ms > self.floor_ms():
            self._floor_ms = signed_ms
            self._floor_at_s = self._clock.monotonic_s()

    def floor_ms(self) -> int:
        elapsed_ms = int((self._clock.monotonic_s() - self._floor_at_s) * 1000)
        return self._floor_ms + elapsed_ms if self._floor_ms else 0

    def now_ms(self) -> int:
        return max(self._clock.now_ms(), self.floor_ms())
