"""Rows that move no money are cheap for whoever sends requests and dear for the disk, so they are rationed.

A refusal, or an answer that is given again under a new id, takes from the ration of its contract; everything about
contracts that are not registered shares one. What is over the ration is still answered and not written; how often
stands in the next row that there is room for. A debit is never rationed: it is a row that the limits pay for.
"""

import time
from collections import Counter
from collections.abc import Callable

import msgspec

RATION_BYTES = 4 << 20
BYTES_PER_S = 100.0
ROW_BYTES = 512
"""What a row takes beside its body."""


class LeftOut(msgspec.Struct, array_like=True, frozen=True):
    """The body of a row that tells of rows that were not written: how many, by the rule of the refusal."""

    refusals: dict[str, int]


class RowQuota:
    """By contract, `RATION_BYTES` at once and `BYTES_PER_S` in the long run: 3 GB a year where somebody tries."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._rations: dict[str, tuple[float, float]] = {}  # what is left, and when that was
        self._left_out: dict[str, Counter[str]] = {}

    def has_room(self, subject: str, body_bytes: int) -> bool:
        """Whether a row of the contract `subject` (empty: of none that is registered) may be written; it is counted."""
        now_s, size = self._monotonic_s(), ROW_BYTES + body_bytes
        left, before_s = self._rations.get(subject, (float(RATION_BYTES), now_s))
        left = min(float(RATION_BYTES), left + (now_s - before_s) * BYTES_PER_S)
        enough = left >= size
        self._rations[subject] = (left - size if enough else left, now_s)
        return enough

    def leave_out(self, subject: str, rule: str) -> None:
        self._left_out.setdefault(subject, Counter())[rule] += 1

    def take_left_out(self, subject: str) -> LeftOut | None:
        """What was not written since this was asked last."""
        counted = self._left_out.pop(subject, None)
        return None if counted is None else LeftOut(dict(counted))

    @property
    def owing(self) -> tuple[str, ...]:
        """The contracts of which rows were left out that no row tells of yet."""
        return tuple(self._left_out)
