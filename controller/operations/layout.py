"""From a roster to the columns that name and place a site's miners."""

import numpy as np

from controller.mining.fleet.column import NEVER_MS
from controller.mining.fleet.snapshot import SiteSnapshot
from controller.views.frame import FleetLayout, Words

UNPLACED = "unplaced"


def layout_of(snapshot: SiteSnapshot, known: FleetLayout | None) -> FleetLayout:
    """`known` is the layout of the same roster, if there is one: then only the reporting nodes may have changed."""
    node = _nodes(snapshot)
    if known is None:
        return _built(snapshot, node)
    if known.node.words == node.words and np.array_equal(known.node.codes, node.codes):
        return known
    return _built(snapshot, node)


def _nodes(snapshot: SiteSnapshot) -> Words:
    """Who reported each miner last; no name where nobody ever did."""
    seen = snapshot.miners.seen_ms != NEVER_MS
    codes = np.where(seen, snapshot.miners.code("node"), len(snapshot.nodes))
    return Words(codes.astype(np.int32), (*snapshot.nodes, ""))


def _built(snapshot: SiteSnapshot, node: Words) -> FleetLayout:
    roster, tree = snapshot.roster, snapshot.tree
    places, records = roster.placement, roster.record
    feeder = np.where(roster.feeder >= 0, roster.feeder, len(tree))
    return FleetLayout(
        site=snapshot.site.id,
        device_id=roster.device_id,
        slot_name=tuple(map(_named, roster.slot_name, roster.device_id)),
        address=tuple(record.address for record in records),
        serial=tuple(record.serial for record in records),
        model=Words.of([record.model or record.family for record in records]),
        firmware=Words.of([record.firmware for record in records]),
        container=Words.of([UNPLACED if at is None else at.container for at in places]),
        feeder=Words(feeder.astype(np.int32), (*tree.ids, "")),
        node=node,
        rack=np.array([0 if at is None else at.rack for at in places], np.int32),
        shelf=np.array([0 if at is None else at.shelf for at in places], np.int32),
        slot=np.array([0 if at is None else at.slot for at in places], np.int32),
    )


def _named(slot_name: str, device_id: str) -> str:
    return slot_name or device_id
