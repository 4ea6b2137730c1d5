"""Frozen values that drivers return and the process image holds.

A value that is not known is None and has its reason in `quality`, which packs four bits a field in the order of the
wire's `*_FIELDS` (shared/quality.py, shared/wire/telemetry.py). `evidence` is what the device really sent.
"""

from collections.abc import Iterable, Mapping

import msgspec

from shared.quality import (
    MAX_PACKED_FIELDS,
    QUALITY_BITS,
    QUALITY_MASK,
    USABLE,
    Quality,
    pack_qualities,
    quality_at,
)
from shared.states import OpState, PowerSource, Reach
from shared.wire.telemetry import BOARD_FIELDS, METER_FIELDS, MINER_FIELDS, OUTLET_FIELDS


class Evidence(msgspec.Struct, frozen=True):
    """One raw reply: what was asked (`summary`, `GET /api/system/info`), and the bytes, cut at `EVIDENCE_BYTES`."""

    asked: str
    raw: bytes


EVIDENCE_BYTES = 16_384


class BoardReading(msgspec.Struct, frozen=True, kw_only=True):
    """One hashboard; `slot` counts from 0 whatever the vendor does."""

    slot: int
    quality: int = 0
    hashrate_ths: float | None = None
    hashrate_expected_ths: float | None = None
    chip_temp_c: float | None = None
    board_temp_c: float | None = None
    chips_good: int | None = None
    chips_expected: int | None = None
    frequency_mhz: float | None = None
    hardware_errors: int | None = None


class MinerReading(msgspec.Struct, frozen=True, kw_only=True):
    """One poll of a miner. `boards` and `pools` are filled by full polls only."""

    op_state: OpState = OpState.UNKNOWN
    power_source: PowerSource = PowerSource.NONE
    quality: int = 0
    hashrate_ths: float | None = None
    hashrate_expected_ths: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    chip_temp_c: float | None = None
    board_temp_c: float | None = None
    inlet_temp_c: float | None = None
    fan_rpm: float | None = None
    uptime_s: int | None = None
    mining_uptime_s: int | None = None
    accepted_shares: int | None = None
    rejected_shares: int | None = None
    hardware_errors: int | None = None
    boards_hashing: int | None = None
    boards_expected: int | None = None
    mac: str | None = None
    power_mode: str | None = None
    pools: tuple[str, ...] | None = None
    faults: tuple[str, ...] = ()
    boards: tuple[BoardReading, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class MeterReading(msgspec.Struct, frozen=True, kw_only=True):
    """One poll of a meter; import counts positive. `faults` say what speaks against its values."""

    quality: int = 0
    power_w: float | None = None
    power_l1_w: float | None = None
    power_l2_w: float | None = None
    power_l3_w: float | None = None
    voltage_l1_v: float | None = None
    voltage_l2_v: float | None = None
    voltage_l3_v: float | None = None
    current_l1_a: float | None = None
    current_l2_a: float | None = None
    current_l3_a: float | None = None
    power_factor: float | None = None
    frequency_hz: float | None = None
    energy_import_wh: float | None = None
    energy_export_wh: float | None = None
    faults: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class OutletReading(msgspec.Struct, frozen=True, kw_only=True):
    """One outlet of a PDU; `outlet` counts from 1. `on` may only echo the last command: watts tell the truth."""

    outlet: int
    quality: int = 0
    on: bool | None = None
    power_w: float | None = None
    current_a: float | None = None
    voltage_v: float | None = None
    energy_wh: float | None = None


class PduReading(msgspec.Struct, frozen=True, kw_only=True):
    outlets: tuple[OutletReading, ...]
    evidence: tuple[Evidence, ...] = ()


class DeviceIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers. `firmware` is the version text of the device; `mac` is normal (`0a:1b:…`) or empty."""

    kind: str
    family: str
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    mac: str = ""
    serial: str = ""
    hostname: str = ""


class AttemptFailed(msgspec.Struct, frozen=True):
    """A poll that brought no reading: how it ended and the error's text."""

    reach: Reach
    code: str
    detail: str


def qualities(fields: tuple[str, ...], values: Mapping[str, Quality]) -> int:
    """Pack the qualities of `values` in the order of `fields`; a field that is missing counts as ABSENT."""
    return pack_qualities(values.get(name, Quality.ABSENT) for name in fields)


def quality_of(reading: MinerReading | MeterReading | OutletReading | BoardReading, field: str) -> Quality:
    return quality_at(reading.quality, _FIELDS[type(reading)].index(field))


def usable(reading: MinerReading | MeterReading | OutletReading | BoardReading, field: str) -> float | None:
    """The value where a rule may act on it, otherwise None. Asked of every miner several times a cycle."""
    value: float | None = getattr(reading, field)
    if value is None:
        return None
    return value if reading.quality >> _SHIFTS[type(reading)][field] & QUALITY_MASK in _USABLE else None


def with_quality(packed: int, fields: tuple[str, ...], names: Iterable[str], quality: Quality) -> int:
    """The same qualities with those of `names` replaced."""
    for name in names:
        shift = QUALITY_BITS * fields.index(name)
        packed = packed & ~(0xF << shift) | quality << shift
    return packed


_FIELDS: dict[type, tuple[str, ...]] = {
    MinerReading: MINER_FIELDS,
    MeterReading: METER_FIELDS,
    OutletReading: OUTLET_FIELDS,
    BoardReading: BOARD_FIELDS,
}
_SHIFTS = {kind: {name: QUALITY_BITS * place for place, name in enumerate(names)} for kind, names in _FIELDS.items()}
_USABLE = frozenset(map(int, USABLE))
assert all(len(fields) <= MAX_PACKED_FIELDS for fields in _FIELDS.values())
