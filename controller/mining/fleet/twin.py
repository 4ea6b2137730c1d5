"""The controller's picture of its sites, written by ingest and read through snapshots.

Written by one thread (the event loop); snapshots may be read by any.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.mining.fleet.column import Arrival, ColumnStore
from controller.mining.fleet.roster import Roster, placements_of, roster_of
from controller.mining.fleet.snapshot import FleetLimits, SiteSnapshot
from controller.mining.fleet.tree import FeederTree
from shared.clock import Clock
from shared.errors import SettingInvalid
from shared.site import Placement, Site, site_problems
from shared.states import DeviceKind, Reach
from shared.wire.event import DeviceRecord
from shared.wire.telemetry import BOARD_FIELDS, METER_FIELDS, MINER_FIELDS, OUTLET_FIELDS, TelemetryBatch

_MAX_UNLISTED = 1_000
_MAX_LIVES = 1_000
_MINER_CODES = ("reach", "op_state", "power_source", "node")


class FleetTwin:
    """One twin for all sites of a controller."""

    def __init__(self, clock: Clock, limits: FleetLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or FleetLimits()
        self._sites: dict[str, _SiteTwin] = {}

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(self._sites)

    def configure(self, site: Site, devices: Iterable[DeviceRecord] = ()) -> None:
        """Take over a site's description and the devices that were identified or have changed; samples are kept.

        SettingInvalid where the description contradicts itself: then nothing has changed.
        """
        known = self._sites.get(site.id)
        records = {**(known.devices if known else {}), **{record.device_id: record for record in devices}}
        layout = known.layout if known is not None and known.layout.site == site else Layout.of(site)
        twin = _SiteTwin.of(layout, records)
        self._sites[site.id] = twin if known is None else twin.with_samples_of(known)

    def apply(self, site: str, node: str, batch: TelemetryBatch) -> int:
        """Take over one cycle of a node; older samples never replace newer ones.

        Answers how many rows named a device that the site does not know (all, where the site itself is unknown).
        """
        twin = self._sites.get(site)
        if twin is None:
            return batch.sample_count()
        return twin.apply(node, batch, self._clock.now_ms())

    def strange(self, site: str) -> int:
        """How many codes and qualities came that only a newer agent knows; KeyError for an unknown site."""
        return self._sites[site].strange

    def snapshot(self, site: str, now_ms: int | None = None) -> SiteSnapshot:
        """The site as it is known now. KeyError for a site that was never configured."""
        return self._sites[site].snapshot(self._clock.now_ms() if now_ms is None else now_ms, self._limits)


@dataclass(frozen=True, eq=False)
class Layout:
    """What follows from a site's file alone."""

    site: Site
    tree: FeederTree
    placed: dict[str, Placement]

    @classmethod
    def of(cls, site: Site) -> "Layout":
        problems = list(site_problems(site))
        if problems:
            raise SettingInvalid(f"site {site.id}: " + "; ".join(problems))
        return cls(site, FeederTree.of(site.feeder), placements_of(site))


@dataclass(eq=False)
class _SiteTwin:
    layout: Layout
    devices: dict[str, DeviceRecord]
    roster: Roster
    miners: ColumnStore
    meters: ColumnStore
    outlets: ColumnStore
    boards: ColumnStore
    version: int = 0
    nodes: dict[str, int] = field(default_factory=dict)
    lives: dict[tuple[str, str], int] = field(default_factory=dict)
    unlisted: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, layout: Layout, devices: dict[str, DeviceRecord]) -> "_SiteTwin":
        roster = roster_of(layout.tree, layout.placed, devices)
        identified = [device for device, record in devices.items() if record.kind == DeviceKind.METER]
        meters = tuple(dict.fromkeys((*(meter.id for meter in layout.site.meter), *identified)))
        twin = cls(
            layout,
            devices,
            roster,
            miners=ColumnStore(MINER_FIELDS, _MINER_CODES, roster.device_id),
            meters=ColumnStore(METER_FIELDS, ("reach",), meters),
            outlets=ColumnStore(OUTLET_FIELDS, ("reach",), roster.outlets),
            boards=ColumnStore(BOARD_FIELDS, open_ended=True),
        )
        for store in (twin.miners, twin.meters, twin.outlets):
            store.preset("reach", Reach.NEVER)
        return twin

    def with_samples_of(self, old: "_SiteTwin") -> "_SiteTwin":
        self.miners = old.miners.moved_to(self.roster.device_id, self.miners)
        self.meters = old.meters.moved_to(self.meters.keys, self.meters)
        self.outlets = old.outlets.moved_to(self.roster.outlets, self.outlets)
        self.boards = old.boards
        self.version, self.nodes, self.lives = old.version + 1, old.nodes, old.lives
        return self

    def apply(self, node: str, batch: TelemetryBatch, now_ms: int) -> int:
        self.version += 1
        newer_by_ms = self._newer_by_ms(node, batch, now_ms)
        miners, meters, outlets, boards = batch.miners, batch.meters, batch.outlets, batch.boards
        reporter = [self.nodes.setdefault(node, len(self.nodes))] * len(miners.device_id)
        miner_codes = (miners.reach, miners.op_state, miners.power_source, reporter)
        unknown = 0
        outlet_keys = zip(outlets.device_id, outlets.outlet, strict=True)
        board_keys = zip(boards.device_id, boards.slot, strict=True)
        for store, table, keys, codes, fields in (
            (self.miners, miners, miners.device_id, miner_codes, MINER_FIELDS),
            (self.meters, meters, meters.device_id, (meters.reach,), METER_FIELDS),
            (self.outlets, outlets, outlet_keys, (outlets.reach,), OUTLET_FIELDS),
            (self.boards, boards, board_keys, (), BOARD_FIELDS),
        ):
            values = [getattr(table, name) for name in fields]
            arrival = Arrival(keys, table.observed_at_ms, newer_by_ms, table.quality, codes, values)
            missed = store.write(arrival)
            unknown += missed
            if missed and store is self.miners:
                self._remember_unlisted(miners.device_id)
        return unknown

    @property
    def strange(self) -> int:
        return sum(store.strange for store in (self.miners, self.meters, self.outlets, self.boards))

    def snapshot(self, now_ms: int, limits: FleetLimits) -> SiteSnapshot:
        return SiteSnapshot(
            snapshot_id=f"{self.layout.site.id}-{self.version}",
            taken_at_ms=now_ms,
            site=self.layout.site,
            tree=self.layout.tree,
            roster=self.roster,
            limits=limits,
            miners=self.miners.samples(),
            meters=self.meters.samples(),
            outlets=self.outlets.samples(),
            boards=self.boards.samples(),
            nodes=tuple(self.nodes),
            unlisted=tuple(self.unlisted),
        )

    def _newer_by_ms(self, node: str, batch: TelemetryBatch, now_ms: int) -> int:
        """What turns the batch's device times into times that only rise within one life of the node.

        A node's clock may be wrong or step; its monotonic time may not. The first batch of a life fixes where that
        life lies in our time, never in our future, or samples of a fast clock would keep out all later ones.
        """
        elapsed_ms = round(batch.monotonic_s * 1000)
        began_ms = min(batch.sampled_at_ms, now_ms) - elapsed_ms
        began_ms = self.lives.setdefault((node, batch.boot_id), began_ms)
        while len(self.lives) > _MAX_LIVES:
            del self.lives[next(iter(self.lives))]
        return began_ms + elapsed_ms - batch.sampled_at_ms

    def _remember_unlisted(self, devices: Iterable[str]) -> None:
        for device in devices:
            if device not in self.roster.row and len(self.unlisted) < _MAX_UNLISTED:
                self.unlisted[device] = None
