"""What the fleet needs of a store and of the journal."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from controller.fleet.alarm import Alarm
from controller.fleet.model import Device, Node, Notice, RecordIdentity, SiteRecord


class FleetState(msgspec.Struct, frozen=True):
    """Everything that is known at start; `alarms` are those that stand."""

    sites: tuple[SiteRecord, ...] = ()
    nodes: tuple[Node, ...] = ()
    devices: tuple[Device, ...] = ()
    alarms: tuple[Alarm, ...] = ()


class FleetChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one message changes; durable together with the fact that its record was handled."""

    node: Node | None = None
    site: SiteRecord | None = None
    devices: tuple[Device, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    notices: tuple[Notice, ...] = ()


class FleetStore(Protocol):
    async def load(self) -> FleetState: ...

    async def apply(self, change: FleetChange, source: tuple[str, str, RecordIdentity] | None = None) -> bool:
        """Store a change; False, and nothing stored, where `source` (site, node, record) was handled before."""
        ...


class EventStore(Protocol):
    """What happened at a site from `from_ms` on, newest first: what stands below `below` by time and key."""

    async def notices(
        self, site: str, from_ms: int, below: tuple[int, int], limit: int
    ) -> Sequence[tuple[int, Notice]]:
        """Each with its number."""
        ...

    async def alarms(self, site: str, from_ms: int, below: tuple[int, str], limit: int) -> Sequence[Alarm]:
        """By when they were raised, whether they stand or not; their key is `alarm_id`."""
        ...


class Witness(Protocol):
    """Writes down what people decided; `controller.journal.Journal` is one."""

    async def note(self, facts: Mapping[str, msgspec.Struct], actor: str) -> None:
        """Facts by their stream, all of them or none."""
        ...
