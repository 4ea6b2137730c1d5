"""One moment of a site, shared by everything that is shown of it: the twin's snapshot and the frame made from it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from controller.commands import Hold
from controller.mining.dispatch.mode import current_modes
from controller.mining.fleet import FleetTwin, SiteSnapshot
from controller.mining.fleet.array import Floats, Ints
from controller.operations.layout import layout_of
from controller.views.frame import AlarmMark, FleetFrame, FleetLayout
from shared.clock import Clock
from shared.errors import NotFound
from shared.quality import MAX_PACKED_FIELDS, QUALITY_BITS, QUALITY_MASK, Quality
from shared.states import PowerSource
from shared.wire.telemetry import MINER_FIELDS

FRAME_MS = 1000
HOT_BELOW_LIMIT_C = 5.0
_POWER_SHIFT = QUALITY_BITS * MINER_FIELDS.index("power_w")
_ONES = sum(1 << (QUALITY_BITS * field) for field in range(MAX_PACKED_FIELDS))


class Moment(NamedTuple):
    snapshot: SiteSnapshot
    frame: FleetFrame


class Moments:
    """Makes at most one moment a second and site, and only when somebody looks."""

    def __init__(
        self,
        twin: FleetTwin,
        clock: Clock,
        marks: Callable[[FleetLayout], tuple[AlarmMark, ...]],
        holds: Callable[[str], Mapping[str, Hold]],
    ) -> None:
        self._holds = holds
        self._twin = twin
        self._clock = clock
        self._marks = marks
        self._kept: dict[str, Moment] = {}

    @property
    def sites(self) -> tuple[str, ...]:
        return self._twin.sites

    def of(self, site: str) -> Moment:
        """NotFound for a site that nobody has described."""
        now_ms = self._clock.now_ms()
        kept = self._kept.get(site)
        if kept is not None and 0 <= now_ms - kept.frame.at_ms < FRAME_MS:
            return kept
        if site not in self._twin.sites:
            raise NotFound(f"no site {site!r}; there are {', '.join(self._twin.sites) or 'none yet'}")
        snapshot = self._twin.snapshot(site, now_ms)
        same = kept is not None and kept.snapshot.roster is snapshot.roster
        layout = layout_of(snapshot, kept.frame.layout if kept is not None and same else None)
        frame = frame_of(snapshot, layout, partial(self._marks, layout), _held_by(layout, self._holds(site)))
        moment = self._kept[site] = Moment(snapshot, frame)
        return moment


def frame_of(
    snapshot: SiteSnapshot,
    layout: FleetLayout,
    find_alarms: Callable[[], tuple[AlarmMark, ...]],
    held_by: Mapping[int, str],
) -> FleetFrame:
    """Values that no rule may act on are not known here either; `qualities` of the miner tell why.

    Times are those that the twin trusts (`seen_ms`), so that a node's wrong clock makes no age. A metered outlet
    overrules what the miner says it draws.
    """
    miners, outlet = snapshot.miners, snapshot.outlet

    def column(field: str) -> Floats:
        return np.where(miners.usable(field), miners.column(field), np.nan)

    by_outlet = ~np.isnan(outlet.metered_w)
    source = np.where(by_outlet, PowerSource.OUTLET, miners.code("power_source"))
    limits = snapshot.site.safety
    return FleetFrame(
        snapshot=f"{snapshot.snapshot_id}-{snapshot.taken_at_ms}",
        at_ms=snapshot.taken_at_ms,
        layout=layout,
        observed_at_ms=miners.seen_ms,
        reach=miners.code("reach").astype(np.uint8),
        op_state=miners.code("op_state").astype(np.uint8),
        power_source=source.astype(np.uint8),
        quality=_qualities(snapshot),
        hashrate_ths=column("hashrate_ths"),
        hashrate_expected_ths=_expected_ths(snapshot, column("hashrate_expected_ths")),
        power_w=np.where(by_outlet, outlet.metered_w, column("power_w")),
        power_limit_w=column("power_limit_w"),
        chip_temp_c=column("chip_temp_c"),
        board_temp_c=column("board_temp_c"),
        inlet_temp_c=column("inlet_temp_c"),
        fan_rpm=column("fan_rpm"),
        uptime_s=column("uptime_s"),
        accepted_shares=column("accepted_shares"),
        rejected_shares=column("rejected_shares"),
        boards_hashing=column("boards_hashing"),
        boards_expected=column("boards_expected"),
        powered=np.where(snapshot.fresh, 1, np.where(outlet.off, 0, -1)).astype(np.int8),
        maintenance=np.zeros(len(layout), np.bool_),
        chip_warm_c=limits.chip_resume_c,
        chip_hot_c=limits.chip_max_c - HOT_BELOW_LIMIT_C,
        stale_after_s=snapshot.limits.miner_stale_after_s,
        held_by=held_by,
        find_alarms=find_alarms,
    )


def _held_by(layout: FleetLayout, holds: Mapping[str, Hold]) -> Mapping[int, str]:
    """Row to the person who holds it; empty on most days."""
    rows = layout.row_of if holds else {}
    return {rows[device]: hold.by for device, hold in holds.items() if device in rows}


def _expected_ths(snapshot: SiteSnapshot, told: Floats) -> Floats:
    """What the miner itself expects, else what its curve promises in the mode that it is in."""
    ladders, mode = snapshot.roster.ladders, current_modes(snapshot)
    known = (mode >= 0) & (ladders.modes > 0)
    promised = ladders.hashrate_ths[np.maximum(mode, 0), np.arange(len(mode))]
    return np.where(np.isnan(told) & known, promised, told)


def _qualities(snapshot: SiteSnapshot) -> Ints:
    """As reported, with everything that is too old marked as stale and outlets' watts as good."""
    packed = snapshot.miners.quality
    told = (packed | packed >> 1 | packed >> 2 | packed >> 3) & _ONES
    packed = np.where(snapshot.fresh, packed, told * int(Quality.STALE))
    metered = packed & ~(QUALITY_MASK << _POWER_SHIFT) | int(Quality.GOOD) << _POWER_SHIFT
    return np.where(np.isnan(snapshot.outlet.metered_w), packed, metered)
