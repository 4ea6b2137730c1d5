"""Who is there: sites, nodes, devices, kept in memory, stored before they are shown."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
from nacl.signing import VerifyKey

from controller.fleet.alarm_desk import AlarmDesk
from controller.fleet.model import Device, Node, RecordIdentity, SiteRecord
from controller.fleet.ports import FleetChange, FleetStore
from controller.fleet.refusal import Refusal
from controller.fleet.tree import ElectricalTree
from shared.clock import Clock
from shared.errors import Denied, SettingInvalid
from shared.site import Site
from shared.states import Severity
from shared.wire.event import Event, EventBatch, Inventory
from shared.wire.record import Gap, Hello


class FleetService:
    """`revision` rises with every change of inventory, so that readers know when to build their layout anew."""

    def __init__(self, store: FleetStore, desk: AlarmDesk, clock: Clock) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._sites: dict[str, SiteRecord] = {}
        self._trees: dict[str, ElectricalTree] = {}
        self._nodes: dict[tuple[str, str], Node] = {}
        self._devices: dict[str, dict[str, Device]] = {}
        self.revision = 0

    async def restore(self) -> None:
        """Read everything that was known when the controller stopped."""
        state = await self._store.load()
        for site in state.sites:
            self._sites[site.site.id] = site
            self._trees[site.site.id] = ElectricalTree(site.site)
        self._nodes = {(node.site, node.node): node for node in state.nodes}
        for device in state.devices:
            self._devices.setdefault(device.site, {})[device.device_id] = device
        self._desk.restore(state.alarms)
        self.revision += 1

    def sites(self) -> tuple[Site, ...]:
        return tuple(record.site for record in self._sites.values())

    def site(self, site: str) -> Site | None:
        record = self._sites.get(site)
        return None if record is None else record.site

    def tree(self, site: str) -> ElectricalTree:
        """The site's electrical tree; `Denied` while no node has described the site."""
        tree = self._trees.get(site)
        if tree is None:
            raise Denied(Refusal.UNKNOWN_SITE, f"no node has described a site {site!r} yet")
        return tree

    def nodes(self, site: str) -> tuple[Node, ...]:
        return tuple(node for node in self._nodes.values() if node.site == site)

    def node_key(self, site: str, node: str) -> VerifyKey | None:
        """The key with which a node introduced itself; None before that."""
        known = self._nodes.get((site, node))
        return VerifyKey(known.public_key) if known is not None and known.public_key else None

    def device(self, site: str, device_id: str) -> Device | None:
        return self._devices.get(site, {}).get(device_id)

    def devices(self, site: str) -> Mapping[str, Device]:
        """All devices of a site by id; a live view, not a copy."""
        return MappingProxyType(self._devices.get(site, {}))

    def contact(self, site: str, node: str) -> None:
        """Something was heard of a node; kept in memory until its next hello."""
        known = self._nodes.get((site, node))
        if known is not None:
            self._nodes[site, node] = msgspec.structs.replace(known, last_contact_ms=self._clock.now_ms())

    async def handle_hello(self, site: str, node: str, hello: Hello) -> None:
        """A session began: remember what the node is and what it holds."""
        known = self._nodes.get((site, node))
        now_ms = self._clock.now_ms()
        greeted = Node(
            site=site,
            node=node,
            role=hello.role,
            software=hello.software,
            boot_id=hello.boot_id,
            epoch=hello.epoch,
            highest_seq=hello.highest_seq,
            backlog_rows=hello.rows,
            backlog_oldest_ms=hello.oldest_ms,
            public_key=hello.public_key,
            hello_at_ms=now_ms,
            last_contact_ms=now_ms,
            gaps=known.gaps if known else 0,
            last_gap_ms=known.last_gap_ms if known else None,
        )
        await self._store.apply(FleetChange(node=greeted))
        self._nodes[site, node] = greeted

    async def handle_gap(self, site: str, node: str, gap: Gap, record: RecordIdentity) -> None:
        """Count a gap record; the ledger of ingest has its rows."""
        known = self._nodes.get((site, node))
        if known is None:
            return
        counted = msgspec.structs.replace(known, gaps=known.gaps + 1, last_gap_ms=gap.last_ms)
        if await self._store.apply(FleetChange(node=counted), (site, node, record)):
            self._nodes[site, node] = counted

    async def handle_inventory(self, site: str, node: str, inventory: Inventory, record: RecordIdentity) -> None:
        """Accept changed devices and, where it holds no contradiction, the site; a bad one becomes an alarm."""
        tree, problem = _checked_tree(site, inventory.site)
        verdict = [] if inventory.site is None else [self._site_event(node, problem)]
        async with self._desk.changing:
            change = FleetChange(
                site=None if inventory.site is None or tree is None else self._site_record(inventory.site, node),
                devices=tuple(self._newer_devices(site, node, inventory, record)),
                alarms=self._desk.judge(site, node, verdict).alarms,
            )
            if not await self._store.apply(change, (site, node, record)):
                return
            self._desk.accept(change.alarms)
        if change.site is not None and tree is not None:
            self._sites[site], self._trees[site] = change.site, tree
        self._devices.setdefault(site, {}).update((device.device_id, device) for device in change.devices)
        self.revision += 1

    async def handle_events(self, site: str, node: str, batch: EventBatch, record: RecordIdentity) -> None:
        """Raise, clear and note."""
        async with self._desk.changing:
            change = self._desk.judge(site, node, batch.events)
            if await self._store.apply(change, (site, node, record)):
                self._desk.accept(change.alarms)

    def _newer_devices(self, site: str, node: str, inventory: Inventory, record: RecordIdentity) -> Sequence[Device]:
        """Without those that a later record of the same node has described already."""
        now_ms = self._clock.now_ms()
        known = self._devices.get(site, {})
        newer: list[Device] = []
        for described in inventory.devices:
            last = known.get(described.device_id)
            if last and (last.node, last.epoch) == (node, record.epoch) and last.seq >= record.seq:
                continue
            newer.append(
                Device(site=site, node=node, record=described, epoch=record.epoch, seq=record.seq, changed_at_ms=now_ms)
            )
        return newer

    def _site_record(self, site: Site, node: str) -> SiteRecord:
        return SiteRecord(site, node, self._clock.now_ms())

    def _site_event(self, node: str, problem: tuple[Refusal, str] | None) -> Event:
        rule, text = problem or (Refusal.SITE_INVALID, "the site's description is accepted again")
        return Event(
            at_ms=self._clock.now_ms(),
            code="inventory.site-refused",
            subject=node,
            severity=Severity.P2,
            text=f"{text} [{rule}]" if problem else text,
            active=problem is not None,
        )


def _checked_tree(topic_site: str, site: Site | None) -> tuple[ElectricalTree | None, tuple[Refusal, str] | None]:
    if site is None:
        return None, None
    if site.id != topic_site:
        return None, (Refusal.SITE_MISMATCH, f"the node of {topic_site!r} describes site {site.id!r}")
    try:
        return ElectricalTree(site), None
    except SettingInvalid as error:
        return None, (Refusal.SITE_INVALID, error.detail)
