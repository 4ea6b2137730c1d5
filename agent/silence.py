"""For how long the controller itself has said nothing: a live broker is no sign of a live controller."""

from collections.abc import Callable

from shared.clock import Clock


class Silence:
    """`news` counts what only a living controller can have said. Samples go out every cycle, so verified receipts come
    back all the time while somebody stores them; the same receipt twice proves nothing.
    """

    def __init__(self, news: Callable[[], int], clock: Clock) -> None:
        self._news = news
        self._clock = clock
        self._seen = news()
        self._since_s = clock.monotonic_s()

    def lasts_s(self) -> float:
        """Seconds since its last word; counted from the start where it never said any."""
        seen, now_s = self._news(), self._clock.monotonic_s()
        if seen != self._seen:
            self._seen, self._since_s = seen, now_s
        return now_s - self._since_s
