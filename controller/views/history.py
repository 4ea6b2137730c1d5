"""Values over time, and the holes in them."""

import msgspec

from controller.views import unit


class GapView(msgspec.Struct, frozen=True, kw_only=True):
    """Samples that are gone for good, and why; a chart draws the span hatched and never bridges it.

    `samples`, `first_ms` and `last_ms` are None where nobody knows any more; such a gap stands in the ledger only.
    """

    node: str
    epoch: str
    from_seq: int
    to_seq: int
    samples: int | None
    reason: str
    first_ms: unit.Millis | None
    last_ms: unit.Millis | None


class SeriesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`subject` is a device, a feeder or the site; `field` a name of MINER_FIELDS or METER_FIELDS."""

    site: str
    subject: str
    field: str
    from_ms: unit.Millis
    to_ms: unit.Millis
    points: int = 600


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Buckets of `step_ms` by their start: least, mean and greatest value; null where nothing was stored."""

    subject: str
    field: str
    unit: str
    step_ms: int
    start_ms: tuple[int, ...]
    low: tuple[float | None, ...]
    mean: tuple[float | None, ...]
    high: tuple[float | None, ...]
    gaps: tuple[GapView, ...] = ()
