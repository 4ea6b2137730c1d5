"""Values that stand still to the last digit although they must move: a firmware that repeats an old answer.

A miner's hash rate, its uptime and a meter's power never repeat exactly for long. Equal over `SAMPLES` polls and
`SPAN_S` they are marked FROZEN, and nothing acts on them until they move again: what such a miner does is unknown.
"""

import msgspec

from agent.site.devices.reading import MeterReading, MinerReading, OutletReading, PduReading, with_quality
from shared.quality import Quality
from shared.states import OpState
from shared.wire.telemetry import METER_FIELDS, MINER_FIELDS, OUTLET_FIELDS

SAMPLES = 6
SPAN_S = 30.0
_MINER_SUSPECTS = ("hashrate_ths", "power_w", "chip_temp_c", "board_temp_c")
_OUTLET_SUSPECTS = tuple(name for name in OUTLET_FIELDS if not name.startswith("energy"))
_BUSY_W = 500.0
_METER_SUSPECTS = tuple(name for name in METER_FIELDS if not name.startswith("energy"))


class Flatlines:
    """Remembers per device and value the last one that moved, since when it stands, and how often it was seen."""

    def __init__(self) -> None:
        self._standing: dict[tuple[str, str], tuple[object, float, int]] = {}

    def miner(self, device_id: str, at_s: float, reading: MinerReading) -> MinerReading:
        rate_stands = self._stands((device_id, "hashrate_ths"), at_s, reading.hashrate_ths or None)
        # The uptime of the mining process may stand while it sleeps; that of the system never does.
        uptime_stands = self._stands((device_id, "uptime_s"), at_s, reading.uptime_s)
        if not rate_stands and not uptime_stands:
            return reading
        present = [name for name in _MINER_SUSPECTS if getattr(reading, name) is not None]
        quality = with_quality(reading.quality, MINER_FIELDS, present, Quality.FROZEN)
        return msgspec.structs.replace(reading, quality=quality, op_state=OpState.UNKNOWN)

    def meter(self, device_id: str, at_s: float, reading: MeterReading) -> MeterReading:
        moving = (reading.power_w, reading.current_l1_a, reading.voltage_l1_v) if reading.power_w else None
        if not self._stands((device_id, "power_w"), at_s, moving):
            return reading
        present = [name for name in _METER_SUSPECTS if getattr(reading, name) is not None]
        return msgspec.structs.replace(
            reading, quality=with_quality(reading.quality, METER_FIELDS, present, Quality.FROZEN)
        )

    def pdu(self, device_id: str, at_s: float, reading: PduReading) -> PduReading:
        """Outlets that carry a machine at work never draw the same all together; those at rest may."""
        busy = any((outlet.power_w or 0.0) >= _BUSY_W for outlet in reading.outlets)
        moving = tuple((outlet.power_w, outlet.energy_wh) for outlet in reading.outlets)
        if not self._stands((device_id, "outlets"), at_s, moving if busy else None):
            return reading
        return msgspec.structs.replace(reading, outlets=tuple(map(_frozen, reading.outlets)))

    def _stands(self, key: tuple[str, str], at_s: float, value: object) -> bool:
        """None (nothing runs, nothing known) never stands."""
        if value is None:
            self._standing.pop(key, None)
            return False
        last, since_s, seen = self._standing.get(key, (None, at_s, 0))
        if value != last:
            last, since_s, seen = value, at_s, 0
        self._standing[key] = (last, since_s, seen + 1)
        return seen + 1 >= SAMPLES and at_s - since_s >= SPAN_S


def _frozen(outlet: OutletReading) -> OutletReading:
    present = [name for name in _OUTLET_SUSPECTS if getattr(outlet, name) is not None]
    quality = with_quality(outlet.quality, OUTLET_FIELDS, present, Quality.FROZEN)
    return msgspec.structs.replace(outlet, quality=quality)
