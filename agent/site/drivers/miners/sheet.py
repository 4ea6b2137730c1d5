"""Collects the values of one row together with how far each can be trusted."""

from typing import Any

from agent.site.devices.reading import BoardReading, MinerReading, qualities
from shared.quality import Quality
from shared.wire.telemetry import BOARD_FIELDS, MINER_FIELDS

Range = tuple[float, float]
_TEMPERATURE: Range = (-40.0, 150.0)
_COUNT: Range = (0.0, float(2**53))
PHYSICAL: dict[str, Range] = {
    "hashrate_ths": (0.0, 5_000.0),
    "hashrate_expected_ths": (0.0, 5_000.0),
    "power_w": (0.0, 30_000.0),
    "power_limit_w": (0.0, 30_000.0),
    "chip_temp_c": _TEMPERATURE,
    "board_temp_c": _TEMPERATURE,
    "inlet_temp_c": _TEMPERATURE,
    "fan_rpm": (0.0, 30_000.0),
    "frequency_mhz": (0.0, 5_000.0),
}


class Sheet:
    """`put` each value once; what was not put is ABSENT."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._values: dict[str, Any] = {}
        self._qualities: dict[str, Quality] = {}

    def put(self, name: str, value: float | None, quality: Quality = Quality.GOOD) -> None:
        """A value outside its physical range is kept and marked IMPLAUSIBLE; None stays ABSENT."""
        if value is None:
            return
        low, high = PHYSICAL.get(name, _COUNT)
        self._values[name] = value
        self._qualities[name] = quality if low <= value <= high else Quality.IMPLAUSIBLE

    def value(self, name: str) -> float | None:
        """The value where it may be used."""
        return self._values.get(name) if self._qualities.get(name, Quality.ABSENT).usable else None

    def present(self, name: str) -> float | None:
        """The value as the device gave it, plausible or not."""
        return self._values.get(name)

    def mark(self, name: str, quality: Quality) -> None:
        """Say of a value that is there how it must be taken."""
        if name in self._values:
            self._qualities[name] = quality

    def miner(self, **other: Any) -> MinerReading:
        """`other` are the fields that carry no quality: state, pools, boards, evidence."""
        return MinerReading(quality=qualities(MINER_FIELDS, self._qualities), **self._values, **other)

    def board(self, slot: int) -> BoardReading:
        return BoardReading(slot=slot, quality=qualities(BOARD_FIELDS, self._qualities), **self._values)


def miner_sheet() -> Sheet:
    return Sheet(MINER_FIELDS)


def board_sheet() -> Sheet:
    return Sheet(BOARD_FIELDS)
