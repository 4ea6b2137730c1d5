"""Sites and the nodes on them."""

import msgspec

from controller.views import unit
from shared.states import ClockQuality


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    time_zone: str
    miners: int
    last_contact_ms: unit.Millis | None = None


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One agent. `backlog_rows` wait in its spool, the oldest for `backlog_oldest_s`."""

    id: str
    site: str
    role: str
    software: str
    last_contact_ms: unit.Millis | None
    connected: bool
    backlog_rows: int | None = None
    backlog_oldest_s: unit.Seconds | None = None
    clock_quality: int = ClockQuality.UNKNOWN
    clock_error_ms: float | None = None
    devices_up: int | None = None
    devices_known: int | None = None
    cpu_pct: unit.Percent | None = None
    disk_free_mb: float | None = None
    gaps: int = 0
