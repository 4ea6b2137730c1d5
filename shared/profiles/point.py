"""One value of a device: where it stands, how its bits are read, and what it is called with us."""

from typing import Final, Literal

import msgspec

Table = Literal["input", "holding"]
WordOrder = Literal["big", "little"]
Poll = Literal["fast", "normal", "slow", "once"]
RegisterType = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "acc32", "sunssf", "bits", "ascii"]

WORDS: Final[dict[str, int]] = {
    "u16": 1,
    "i16": 1,
    "bits": 1,
    "sunssf": 1,
    "u32": 2,
    "i32": 2,
    "f32": 2,
    "acc32": 2,
    "u64": 4,
    "i64": 4,
    "f64": 4,
}
INTEGERS: Final = frozenset({"u16", "i16", "u32", "i32", "u64", "i64", "acc32", "bits"})

_PHASES: Final = ("l1", "l2", "l3")
_PER_PHASE: Final = {"power": "W", "voltage": "V", "current": "A", "power_factor": "1"}

UNITS: Final[dict[str, str]] = {
    **{f"{quantity}.{phase}": unit for quantity, unit in _PER_PHASE.items() for phase in _PHASES},
    "power.total": "W",
    "power_factor.total": "1",
    "frequency": "Hz",
    "energy.import": "Wh",
    "energy.export": "Wh",
    "identity.vendor": "",
    "identity.model": "",
    "identity.firmware": "",
    "identity.serial": "",
    "identity.mac": "",
    "identity.code": "",
    "outlet.on": "",
    "outlet.power": "W",
    "outlet.current": "A",
    "outlet.voltage": "V",
    "outlet.energy": "Wh",
}
"""Every name that a point may have and the SI unit of its value after scaling. Quantity and phase are read off the
name, so that they cannot contradict it. `scale.*` and `sign.*` name registers that only serve other points.
"""


def unit_of(name: str) -> str | None:
    """The unit that a point of this name must have; None where the name is not one of ours."""
    if name.startswith(("scale.", "sign.")):
        return ""
    return UNITS.get(name)


class Linear(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`raw_lo` to `raw_hi` maps onto `eng_lo` to `eng_hi` in a straight line."""

    raw_lo: float
    raw_hi: float
    eng_lo: float
    eng_hi: float


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A register value (`table`, `address`, `type`) or a value in a JSON answer (`request`, `json_pointer`).

    Decoding: raw → `invalid` → `mask` → `enum`, or `linear`, or ·`scale` + `offset` → ·10^`scale_point` → sign of
    `sign_point` → `valid_range`. `invalid` are bit patterns in hex, high word first, `x` for any digit. `count` is the
    number of registers of an ascii text. `overlaps` names points that share registers on purpose. `valid_if` are JSON
    pointers that must hold true. A `monotonic` counter that goes back was reset, unless it ran over at `rollover_bits`.
    """

    name: str
    unit: str = ""
    poll: Poll = "normal"
    table: Table | None = None
    address: int | None = None
    type: RegisterType | None = None
    count: int | None = None
    word_order: WordOrder | None = None
    request: str | None = None
    json_pointer: str | None = None
    valid_if: tuple[str, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    linear: Linear | None = None
    scale_point: str | None = None
    sign_point: str | None = None
    mask: int | None = None
    enum: dict[str, str] = {}
    invalid: tuple[str, ...] = ()
    valid_range: tuple[float, float] | None = None
    monotonic: bool = False
    rollover_bits: int | None = None
    overlaps: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """Registers that it takes; 0 for a value in a JSON answer."""
        if self.type is None:
            return 0
        return (self.count or 0) if self.type == "ascii" else WORDS[self.type]
