"""Meters as people read them, and which of them stand at the top."""

import math

import numpy as np

from controller.mining.fleet import SiteSnapshot
from controller.mining.fleet.array import Ints
from controller.views.energy import MeterView
from controller.views.figure import Figure, missing
from shared.quality import Quality, quality_at
from shared.states import Reach

_PHASES = (1, 2, 3)


def main_meters(snapshot: SiteSnapshot) -> tuple[str, ...]:
    """The meter of each root of the tree, an empty name where none hangs."""
    return tuple(snapshot.tree.meters[root] for root in snapshot.tree.levels[0])


def meter_views(snapshot: SiteSnapshot, miners_w: Ints) -> tuple[MeterView, ...]:
    """All meters of the site. `miners_w` is what miners report below each feeder."""
    names = {instrument.id: instrument.name for instrument in snapshot.site.meter}
    feeder_of = {meter: at for at, meter in enumerate(snapshot.tree.meters) if meter}
    views = []
    for row, key in enumerate(snapshot.meters.keys):
        meter = str(key)
        at = feeder_of.get(meter)
        views.append(
            MeterView(
                id=meter,
                name=names.get(meter, "") or meter,
                feeder="" if at is None else snapshot.tree.ids[at],
                power_w=_power(snapshot, row),
                phase_power_w=tuple(_value(snapshot, row, f"power_l{phase}_w") for phase in _PHASES),
                voltage_v=tuple(_value(snapshot, row, f"voltage_l{phase}_v") for phase in _PHASES),
                current_a=tuple(_value(snapshot, row, f"current_l{phase}_a") for phase in _PHASES),
                power_factor=_value(snapshot, row, "power_factor"),
                frequency_hz=_value(snapshot, row, "frequency_hz"),
                energy_import_wh=_value(snapshot, row, "energy_import_wh"),
                miners_w=None if at is None else float(miners_w[at]),
            )
        )
    return tuple(views)


def _power(snapshot: SiteSnapshot, row: int) -> Figure:
    """The last value stays visible with its age; a stale one is marked, one that never came is missing."""
    value, seen_ms = _value(snapshot, row, "power_w"), int(snapshot.meters.seen_ms[row])
    if value is None:
        return missing(_why(snapshot, row), source="meter")
    usable = not np.isnan(snapshot.meter_w[row])
    quality = quality_at(int(snapshot.meters.quality[row]), 0) if usable else Quality.STALE
    note = "" if usable else _why(snapshot, row)
    return Figure(value=value, source="meter", observed_at_ms=seen_ms, quality=quality, note=note)


def _why(snapshot: SiteSnapshot, row: int) -> str:
    reach = Reach(int(snapshot.meters.code("reach")[row]))
    if reach is not Reach.UP:
        return "the meter has never been read" if reach is Reach.NEVER else f"the meter does not answer ({reach.name})"
    quality = quality_at(int(snapshot.meters.quality[row]), 0)
    return "its value is too old" if quality.usable else f"its value may not be used ({quality.name})"


def _value(snapshot: SiteSnapshot, row: int, field: str) -> float | None:
    meters = snapshot.meters
    index = meters.fields.index(field)
    value = float(meters.values[index, row])
    usable = quality_at(int(meters.quality[row]), index).usable
    return value if usable and not math.isnan(value) else None
