"""Words to values: the points of a profile, compiled once into two C-level steps and a short rule for each point.

The words of all blocks are concatenated, picked into big-endian order (`itemgetter`) and unpacked by one `struct`.
"""

import math
import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from agent.site.drivers.measured import BEYOND, NOTHING, Measured
from shared.profiles import Block, Point, Profile, plan
from shared.profiles.plan import protocol_address
from shared.quality import Quality

_CODES: Final = {
    "u16": "H",
    "i16": "h",
    "bits": "H",
    "sunssf": "h",
    "u32": "I",
    "i32": "i",
    "f32": "f",
    "acc32": "I",
    "u64": "Q",
    "i64": "q",
    "f64": "d",
}
_PATTERN_CODES: Final = {1: "H", 2: "I", 4: "Q"}
_IMPLIED_INVALID: Final = {"acc32": ("00000000",), "sunssf": ("8000",)}  # SunSpec: never initialised, not implemented
_SCALE_EXPONENT_MAX: Final = 10  # SunSpec: scale factors run from -10 to 10

Raw = Sequence[Any]


class Decoder:
    """Decodes what `blocks` brought. Thread-free and stateless after construction."""

    def __init__(self, profile: Profile, points: Sequence[Point]) -> None:
        settings = profile.transport.modbus
        assert settings is not None
        self.blocks: tuple[Block, ...] = plan(points, settings)
        self._words = sum(block.count for block in self.blocks)
        ordered = [point for block in self.blocks for point in block.points]
        positions = _positions(self.blocks, profile)
        picked = [word for point in ordered for word in positions[point.name]]
        self._pick = operator.itemgetter(*picked) if len(picked) > 1 else lambda words: (words[picked[0]],)
        self._pack = struct.Struct(f">{len(picked)}H").pack
        self._values = struct.Struct(">" + "".join(map(_code, ordered))).unpack
        self._patterns = struct.Struct(">" + "".join(map(_pattern_code, ordered))).unpack
        index = {point.name: number for number, point in enumerate(ordered)}
        four_quadrant = profile.has_quirk("power-factor-four-quadrant")
        self._rules = [(point.name, _Rule(point, index, four_quadrant=four_quadrant)) for point in ordered]

    def decode(self, blocks: Sequence[Sequence[int]]) -> dict[str, Measured]:
        """Point name → value. `blocks` are the words of `self.blocks`, in that order."""
        words = [word for block in blocks for word in block]
        if len(words) != self._words:
            raise ValueError(f"{len(words)} words where the plan has {self._words}")
        raw = self._pack(*self._pick(words))
        values, patterns = self._values(raw), self._patterns(raw)
        return {name: rule.apply(values, patterns) for name, rule in self._rules}


def _positions(blocks: Sequence[Block], profile: Profile) -> dict[str, list[int]]:
    """Where the words of each point lie in the concatenated words, high word first."""
    settings = profile.transport.modbus
    assert settings is not None
    positions: dict[str, list[int]] = {}
    start = 0
    for block in blocks:
        for point in block.points:
            assert point.table is not None
            assert point.address is not None
            first = start + protocol_address(point.table, point.address, settings) - block.address
            order = range(first, first + point.words)
            little = (point.word_order or settings.word_order) == "little" and point.type != "ascii"
            positions[point.name] = list(reversed(order)) if little else list(order)
        start += block.count
    return positions


def _code(point: Point) -> str:
    return f"{2 * point.words}s" if point.type == "ascii" else _CODES[point.type or ""]


def _pattern_code(point: Point) -> str:
    return f"{2 * point.words}s" if point.type == "ascii" else _PATTERN_CODES[point.words]


class _Rule:
    """What happens to one raw value, in the order that `Point` states."""

    def __init__(self, point: Point, index: Mapping[str, int], *, four_quadrant: bool) -> None:
        self._index = index[point.name]
        self._invalid = [_masked(text) for text in (*point.invalid, *_IMPLIED_INVALID.get(point.type or "", ()))]
        self._range = point.valid_range
        self._scale_index = index[point.scale_point] if point.scale_point is not None else None
        self._sign_index = index[point.sign_point] if point.sign_point is not None else None
        self._convert = _conversion(point)
        self._is_text = point.type == "ascii" or bool(point.enum)
        self._four_quadrant = four_quadrant and point.name.startswith("power_factor.")

    def apply(self, values: Raw, patterns: Raw) -> Measured:
        if self._invalid:
            bits = patterns[self._index]
            for mask, pattern in self._invalid:
                if bits & mask == pattern:
                    return NOTHING
        value = self._convert(values[self._index])
        if self._is_text or value is None:
            return Measured(value, Quality.GOOD) if value else NOTHING
        if math.isfinite(value):
            return self._number(value, values)
        return NOTHING if math.isnan(value) else BEYOND

    def _number(self, value: float, values: Raw) -> Measured:
        if self._scale_index is not None:
            exponent = values[self._scale_index]
            if not -_SCALE_EXPONENT_MAX <= exponent <= _SCALE_EXPONENT_MAX:
                return NOTHING
            value = value * 10**exponent if exponent >= 0 else value / 10**-exponent
        if self._sign_index is not None and values[self._sign_index]:
            value = -value
        if self._four_quadrant and abs(value) > 1:
            value = math.copysign(2, value) - value
        if self._range is not None and not self._range[0] <= value <= self._range[1]:
            return Measured(value, Quality.IMPLAUSIBLE)
        return Measured(value, Quality.GOOD)


def _masked(pattern: str) -> tuple[int, int]:
    """Hex digits, with x for any, as (mask, value)."""
    mask = int("".join("0" if digit in "xX" else "F" for digit in pattern), 16)
    return mask, int(pattern.lower().replace("x", "0"), 16)


def _conversion(point: Point) -> Callable[[Any], Any]:
    """Raw value → number or text before scale factors of other points; None where a code is not in the enum."""
    if point.type == "ascii":
        return _text
    unmasked = _scaled(point)
    if point.mask is None:
        return unmasked
    mask, shift = point.mask, (point.mask & -point.mask).bit_length() - 1
    return lambda raw: unmasked((raw & mask) >> shift)


def _scaled(point: Point) -> Callable[[Any], Any]:
    if point.enum:
        return lambda raw: point.enum.get(str(raw))
    if point.linear is not None:
        line = point.linear
        slope = (line.eng_hi - line.eng_lo) / (line.raw_hi - line.raw_lo)
        return lambda raw: line.eng_lo + (raw - line.raw_lo) * slope
    if point.scale == 1.0 and point.offset == 0.0:
        return lambda raw: raw
    # 12345 · 0.1 is not 1234.5 in binary; 12345 · 1 / 10 is.
    factor = Fraction(repr(point.scale))
    over, under, offset = factor.numerator, factor.denominator, point.offset
    return lambda raw: raw * over / under + offset


def _text(raw: bytes) -> str:
    """Printable ASCII up to the first NUL; an empty string where there is none."""
    return "".join(chr(byte) for byte in raw.split(b"\0", 1)[0] if 0x20 <= byte < 0x7F).strip()
