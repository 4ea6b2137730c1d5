"""A site as a picture: where each miner's cell stands, and one byte a cell for what it shows.

The colours stand for fixed engineering limits, never for the least and greatest of the present data, so that a colour
means the same tomorrow.
"""

import struct
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from controller.views.frame import FleetFrame, FleetLayout
from shared.errors import Malformed

UNKNOWN = 255
STEPS = 254
MOST_PLACES = 1_000  # racks, shelves, positions: what is numbered higher is no place on a picture
SPARE_WIDTH = 24


class Scale(msgspec.Struct, frozen=True):
    """Byte 0 is `low`, byte 254 is `high`; what lies outside is drawn as the end."""

    low: float
    high: float
    unit: str


SCALES = {
    "chip_temp_c": Scale(30.0, 95.0, "°C"),
    "efficiency_j_per_th": Scale(14.0, 40.0, "J/TH"),
    "hash_pct": Scale(0.0, 110.0, "%"),
}
MODES = ("condition", *SCALES)


class MapLayout(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, one entry a cell, in the order of the map's bytes. `container` indexes `containers`."""

    revision: str
    containers: tuple[str, ...]
    device_id: tuple[str, ...]
    slot: tuple[str, ...]
    container: tuple[int, ...]
    rack: tuple[int, ...]
    shelf: tuple[int, ...]
    position: Annotated[tuple[int, ...], msgspec.Meta(description="Place on the shelf")]


def map_layout(layout: FleetLayout) -> MapLayout:
    rack, shelf, position = _places(layout)
    return MapLayout(
        revision=layout.revision,
        containers=layout.container.words,
        device_id=layout.device_id,
        slot=layout.slot_name,
        container=tuple(layout.container.codes.tolist()),
        rack=tuple(rack.tolist()),
        shelf=tuple(shelf.tolist()),
        position=tuple(position.tolist()),
    )


def _places(layout: FleetLayout) -> NDArray[np.int64]:
    """Rack, shelf and position of each cell, from 1. Miners that the site's file places nowhere, or where another one
    stands, get a rack of their own behind the others of their container, so that every cell can be seen.
    """
    container = layout.container.codes.astype(np.int64)
    places = np.stack([layout.rack, layout.shelf, layout.slot]).astype(np.int64)
    known = ((places >= 1) & (places <= MOST_PLACES)).all(axis=0)
    _, first = np.unique(np.vstack([container, places]), axis=1, return_index=True)
    known &= np.isin(np.arange(len(container)), first)
    racks = np.zeros(len(layout.container.words), np.int64)
    np.maximum.at(racks, container[known], places[0, known])
    for code in np.unique(container[~known]):
        spare = np.flatnonzero(~known & (container == code))
        row, column = np.divmod(np.arange(len(spare)), SPARE_WIDTH)
        places[:, spare] = np.stack([np.full(len(spare), racks[code] + 1), row + 1, column + 1])
    return places


def map_bytes(frame: FleetFrame, mode: str) -> bytes:
    """Little-endian: at_ms (8 bytes), count (4), a Condition a cell and, unless that is the mode, a value a cell."""
    head = struct.pack("<QI", frame.at_ms, len(frame))
    if mode == "condition":
        return head + frame.condition.tobytes()
    if mode not in SCALES:
        raise Malformed(f"no map mode {mode!r}; there are {', '.join(MODES)}")
    column = frame.hash_ratio * 100.0 if mode == "hash_pct" else getattr(frame, mode)
    return head + frame.condition.tobytes() + _quantised(column, SCALES[mode]).tobytes()


def _quantised(column: NDArray[np.float64], scale: Scale) -> NDArray[np.uint8]:
    share = np.clip((column - scale.low) / (scale.high - scale.low), 0.0, 1.0)
    return np.where(np.isnan(share), UNKNOWN, np.nan_to_num(share * STEPS).round()).astype(np.uint8)
