"""Hands on what the nodes tell of their sites and devices: to the fleet, to the twin, to the proofs."""

from controller.contracts.proofs import EnergySlots
from controller.fleet import FleetService, RecordIdentity
from controller.mining.fleet import FleetTwin
from shared.wire.event import EventBatch, Inventory
from shared.wire.record import GapBatch


class Registry:
    """Takes inventory, event and gap records from the inbox."""

    def __init__(self, fleet: FleetService, twin: FleetTwin, slots: EnergySlots) -> None:
        self._fleet = fleet
        self._twin = twin
        self._slots = slots

    def restore(self) -> None:
        """What was known when the controller stopped."""
        for site in self._fleet.sites():
            devices = self._fleet.devices(site.id).values()
            self._twin.configure(site, [device.record for device in devices])

    async def handle_inventory(self, site: str, node: str, message: Inventory, record: RecordIdentity) -> None:
        await self._fleet.handle_inventory(site, node, message, record)
        described = self._fleet.site(site)
        if described is not None:
            self._twin.configure(described, message.devices)

    async def handle_events(self, site: str, node: str, message: EventBatch, record: RecordIdentity) -> None:
        """What was committed to is kept first: a record is taken as a whole, and again where this fails."""
        await self._slots.take(site, node, message)
        await self._fleet.handle_events(site, node, message, record)

    async def handle_gaps(self, site: str, node: str, message: GapBatch, record: RecordIdentity) -> None:
        for gap in message.gaps:
            await self._fleet.handle_gap(site, node, gap, record)
