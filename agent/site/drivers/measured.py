"""One value that a driver decoded, and how far it can be trusted."""

from typing import Final, NamedTuple

from shared.quality import Quality


class Measured(NamedTuple):
    """`value` is None exactly where nothing is known; `quality` says why, or how far the value can be trusted."""

    value: float | str | None
    quality: Quality


NOTHING: Final = Measured(None, Quality.ABSENT)
BEYOND: Final = Measured(None, Quality.IMPLAUSIBLE)  # an infinity: a number was sent, but none that can be kept
