"""For how long the controller itself has said nothing: a live broker is no sign of a live controller."""

from collections.abc import Callable

from shared.clock import Clock


class Silence:
    """Samples go out every cycle, so verified receipts come back all the time while somebody stores them."""

    def __init__(self, receipts: Callable[[], int], clock: Clock) -> None:
        self._receipts = receipts
        self._clock = clock
        self._seen = receipts()
        self._since_s = clock.monotonic_s()

    def lasts_s(self) -> float:
        """Seconds since a receipt was last seen to arrive; counted from the start where none ever did."""
        seen, now_s = self._receipts(), self._clock.monotonic_s()
        if seen != self._seen:
            self._seen, self._since_s = seen, now_s
        return now_s - self._since_s
