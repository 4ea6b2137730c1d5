"""A number that a person may trust as far as it says: value, source, age, quality, normal band."""

import msgspec

from controller.views.unit import Millis
from shared.quality import Quality


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is None only with a `reason`. `low` and `high` bound what counts as normal, `plan` is what was planned.

    `note` tells what the value leaves out, such as silent miners.
    """

    value: float | None
    source: str
    observed_at_ms: Millis | None = None
    quality: int = Quality.GOOD
    reason: str = ""
    note: str = ""
    low: float | None = None
    high: float | None = None
    plan: float | None = None

    @property
    def usable(self) -> bool:
        return self.value is not None and Quality(self.quality).usable


def missing(reason: str, *, source: str = "") -> Figure:
    """A figure that nobody knows, and why."""
    return Figure(value=None, source=source, quality=Quality.ABSENT, reason=reason)
