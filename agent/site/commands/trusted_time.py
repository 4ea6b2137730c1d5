"""Time that nobody can turn back: the wall clock, but never earlier than the last signed time of the controller.

One wrong date under a signature must not shut the door for good. So what lies ahead of a synchronised clock is
refused, and only what such a clock vouches for is kept over a restart; what was heard while nobody vouched for our
own clock holds for this life.
"""

from collections.abc import Callable

from agent.site.commands.refusal import AHEAD
from shared.clock import Clock
from shared.errors import Denied

MOST_AHEAD_MS = 300_000


class TrustedTime:
    """`synchronised` asks whether this machine's clock is disciplined now. `vouched_ms` is the latest signed time that
    was heard while it was, 0 before the first.
    """

    def __init__(self, clock: Clock, synchronised: Callable[[], bool]) -> None:
        self._clock = clock
        self._synchronised = synchronised
        self._floor_ms = 0
        self._floor_at_s = clock.monotonic_s()
        self.vouched_ms = 0

    def heard(self, signed_ms: int) -> None:
        """A verified message was issued at this time; the floor only moves forward. `Denied` where a synchronised clock
        says that this time has not come yet.
        """
        vouched = self._synchronised()
        ahead_ms = signed_ms - self.now_ms()
        if vouched and ahead_ms > MOST_AHEAD_MS:
            raise Denied(AHEAD, f"issued {ahead_ms / 1000:.0f} s ahead of this site's synchronised clock")
        if vouched:
            self.vouched_ms = max(self.vouched_ms, signed_ms)
        self._raise_floor(signed_ms)

    def resume(self, vouched_ms: int) -> None:
        """What an earlier life of this agent kept."""
        self.vouched_ms = max(self.vouched_ms, vouched_ms)
        self._raise_floor(vouched_ms)

    def floor_ms(self) -> int:
        elapsed_ms = int((self._clock.monotonic_s() - self._floor_at_s) * 1000)
        return self._floor_ms + elapsed_ms if self._floor_ms else 0

    def now_ms(self) -> int:
        return max(self._clock.now_ms(), self.floor_ms())

    def _raise_floor(self, signed_ms: int) -> None:
        if signed_ms > self.floor_ms():
            self._floor_ms = signed_ms
            self._floor_at_s = self._clock.monotonic_s()
