"""Who a site's miners are, where they stand, what feeds them and what they can be told; made anew with the inventory.

Rows stand in the tree's depth-first order of feeders, so that everything below a feeder is one slice of rows; miners
that the site's file does not place stand last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from controller.mining.fleet.array import Ints
from controller.mining.fleet.ladder import Ladders, ladders_of
from controller.mining.fleet.tree import FeederTree
from shared.actions import SwitchOutlet
from shared.site import Placement, Site, miner_id
from shared.states import DeviceKind
from shared.wire.event import DeviceRecord

OutletKey = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Roster:
    """`n` miners. `feeder` is -1 for those that are not placed, `outlet` -1 where no outlet of a PDU is known.

    `outlets` are the keys (PDU, number) that `outlet` counts in; only switchable ones serve the ladders.
    """

    device_id: tuple[str, ...]
    record: tuple[DeviceRecord, ...]
    placement: tuple[Placement | None, ...]
    feeder: Ints
    outlet: Ints
    outlets: tuple[OutletKey, ...]
    ladders: Ladders

    def __len__(self) -> int:
        return len(self.device_id)

    @cached_property
    def row(self) -> dict[str, int]:
        return {device_id: row for row, device_id in enumerate(self.device_id)}

    @property
    def placed(self) -> int:
        """Miners from this row on hang on no known feeder."""
        return int((self.feeder >= 0).sum())

    @cached_property
    def slot_name(self) -> tuple[str, ...]:
        """What a technician reads on the rack, such as `c07-R3-S2-11`; empty for a miner that is not placed."""
        return tuple("" if at is None else f"{at.container}-R{at.rack}-S{at.shelf}-{at.slot}" for at in self.placement)


def placements_of(site: Site) -> dict[str, Placement]:
    """Device id of each miner that the site's file places."""
    return {miner_id(at.mac): at for at in site.placement}


def roster_of(tree: FeederTree, placed: Mapping[str, Placement], devices: Mapping[str, DeviceRecord]) -> Roster:
    """All miners that the site's file places or that a node has identified."""
    miners = [device for device, record in devices.items() if record.kind == DeviceKind.MINER]
    blank = {device: _unseen(device, at) for device, at in placed.items() if device not in devices}

    def position(device: str) -> tuple[int, str]:
        at = placed.get(device)
        return (len(tree) if at is None else tree.index[at.feeder], device)

    device_id = tuple(sorted({*placed, *miners}, key=position))
    record = tuple(devices[device] if device in devices else blank[device] for device in device_id)
    placement = tuple(placed.get(device) for device in device_id)
    outlets = tuple(dict.fromkeys(key for at in placement if (key := _outlet(at)) is not None))
    number = {key: index for index, key in enumerate(outlets)}
    switchable = _switching(devices.values())
    return Roster(
        device_id=device_id,
        record=record,
        placement=placement,
        feeder=np.array([-1 if at is None else tree.index[at.feeder] for at in placement], np.int64),
        outlet=np.array([number.get(key, -1) if (key := _outlet(at)) else -1 for at in placement], np.int64),
        outlets=outlets,
        ladders=ladders_of(record, [(key := _outlet(at)) is not None and key[0] in switchable for at in placement]),
    )


def _unseen(device_id: str, at: Placement) -> DeviceRecord:
    """What the site's file says of a miner that no node has identified yet."""
    return DeviceRecord(
        device_id=device_id,
        kind=DeviceKind.MINER,
        family="",
        model=at.model or "",
        mac=at.mac,
        address=at.address or "",
    )


def _outlet(at: Placement | None) -> OutletKey | None:
    if at is None or at.pdu is None or at.outlet is None:
        return None
    return at.pdu, at.outlet


def _switching(records: Iterable[DeviceRecord]) -> frozenset[str]:
    """PDUs whose driver can switch outlets."""
    return frozenset(
        record.device_id for record in records if record.kind == DeviceKind.PDU and SwitchOutlet.verb in record.verbs
    )
