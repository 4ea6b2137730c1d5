"""What boxes answered and could not be taken in yet, by no fault of theirs: a full disk, a node that is away."""

from collections.abc import Awaitable, Callable

from shared.clock import Clock
from shared.errors import BesError
from shared.log import get_logger

MOST_WAITING = 1_024
KEEP_S = 3_600.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0

log = get_logger("controller.treasury")

Read = Callable[[str, str, bytes], Awaitable[None]]
_Sent = tuple[str, str, bytes]


class BelatedAnswers:
    """In memory, as they came: after a restart of the controller each box is asked again for what is open.

    Past `MOST_WAITING` the oldest is given up, and so is what waits longer than `KEEP_S`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_s: dict[_Sent, float] = {}
        self.pause_s = FIRST_PAUSE_S
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._since_s)

    def keep(self, site: str, node: str, raw: bytes, error: BesError) -> None:
        """The same bytes wait once."""
        log.warning("treasury.answer-waits", site=site, node=node, code=error.code, detail=error.detail)
        self._since_s.setdefault((site, node, raw), self._clock.monotonic_s())
        while len(self._since_s) > MOST_WAITING:
            self._give_up(next(iter(self._since_s)), error)

    async def read_again(self, read: Read) -> None:
        """Each once, oldest first. `pause_s` is how long to wait until the next time; it doubles while nothing goes."""
        before = len(self)
        for sent in list(self._since_s):
            try:
                await read(*sent)
            except BesError as error:
                if not error.retryable or self._clock.monotonic_s() - self._since_s[sent] > KEEP_S:
                    self._give_up(sent, error)
            else:
                self._since_s.pop(sent, None)
        stuck = 0 < before <= len(self)
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S) if stuck else FIRST_PAUSE_S

    def _give_up(self, sent: _Sent, error: BesError) -> None:
        if self._since_s.pop(sent, None) is not None:
            self.given_up += 1
            site, node, _ = sent
            log.error("treasury.answer-given-up", site=site, node=node, code=error.code, detail=error.detail)
