"""Limits and figures of a spool."""

import msgspec

PAGE_BYTES = 4096


class SpoolLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`max_bytes` bounds the database file. Above `low_water` of it the oldest telemetry is thinned out, and the alarm
    clears below `clear_below`. The ballast is given up when something else has filled the disk.
    """

    max_bytes: int = 1 << 30
    low_water: float = 0.9
    clear_below: float = 0.7
    ballast_bytes: int = 1 << 20
    thin_rows: int = 256
    check_s: float = 2.0

    @property
    def max_pages(self) -> int:
        return self.max_bytes // PAGE_BYTES


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """One epoch of the spool: rows `released` + 1 to `highest_seq` are the node's to answer for."""

    epoch: str
    released: int
    highest_seq: int
    rows: int
    oldest_ms: int | None
    salvaged: bool


class SpoolStats(msgspec.Struct, frozen=True, kw_only=True):
    """`rows`, `bytes_used` and the age count salvaged rows too; `worst_fsync_s` is since it was last asked."""

    epoch: str
    rows: int
    lowest_seq: int
    highest_seq: int
    oldest_age_s: float
    bytes_used: int
    worst_fsync_s: float
    space_low: bool
    salvaging: bool
    ballast: bool
