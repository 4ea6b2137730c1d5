"""The decoder against an encoder that shares nothing with it: bytes by hand, no struct."""

import array
import datetime
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.site.drivers.measured import NOTHING
from agent.site.drivers.meters.registers import Decoder
from shared.profiles import Point, Profile
from shared.profiles.model import About, ModbusSettings, Quirk, Source, Transport
from shared.profiles.point import Linear
from shared.quality import Quality
from shared.states import DeviceKind

BITS = {"u16": 16, "i16": 16, "bits": 16, "u32": 32, "i32": 32, "acc32": 32, "u64": 64, "i64": 64}


def profile_of(*points: Point, word_order: str = "big", quirks: tuple[Quirk, ...] = (), **settings: Any) -> Profile:
    about = About(
        id="test.meter",
        version="1.0.0",
        kind=DeviceKind.METER,
        vendor="Test",
        models=("Test",),
        status="unverified",
        license="none",
        sources=(Source(title="test", date=datetime.date(2026, 1, 1)),),
    )
    modbus = ModbusSettings(modes=("tcp",), word_order=word_order, **settings)
    return Profile(
        about=about,
        transport=Transport(modbus=modbus),
        identify=(),
        points=points,
        commands=(),
        quirks=quirks,
        vectors=(),
        sha256="",
    )


def point(type_: str, address: int = 0, name: str = "power.total", **more: Any) -> Point:
    return Point(name=name, table="input", address=address, type=type_, **more)


def words_of_bytes(raw: bytes, order: str) -> list[int]:
    words = [raw[i] << 8 | raw[i + 1] for i in range(0, len(raw), 2)]
    return words if order == "big" else words[::-1]


def encode(type_: str, value: float, order: str) -> list[int]:
    if type_ in BITS:
        size = BITS[type_] // 8
        return words_of_bytes((int(value) % (1 << BITS[type_])).to_bytes(size, "big"), order)
    native = array.array("f" if type_ == "f32" else "d", [value]).tobytes()
    return words_of_bytes(native[::-1] if sys.byteorder == "little" else native, order)


def one(profile: Profile, *words: int) -> tuple[Any, Quality]:
    return Decoder(profile, profile.points).decode([list(words)])[profile.points[0].name]


def integers() -> st.SearchStrategy[tuple[str, int]]:
    def of(type_: str) -> st.SearchStrategy[tuple[str, int]]:
        bits = BITS[type_]
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if type_[0] == "i" else (0, (1 << bits) - 1)
        return st.tuples(st.just(type_), st.integers(max(low, 1) if type_ == "acc32" else low, high))

    return st.sampled_from(sorted(BITS)).flatmap(of)


@given(integers(), st.sampled_from(["big", "little"]))
def test_integers_round_trip(typed: tuple[str, int], order: str) -> None:
    type_, value = typed
    assert one(profile_of(point(type_), word_order=order), *encode(type_, value, order)) == (value, Quality.GOOD)


@given(st.floats(width=32), st.sampled_from(["f32", "f64"]), st.sampled_from(["big", "little"]))
def test_floats_round_trip_and_nan_is_no_value(value: float, type_: str, order: str) -> None:
    read, quality = one(profile_of(point(type_), word_order=order), *encode(type_, value, order))
    if math.isnan(value):
        assert (read, quality) == NOTHING
    elif math.isinf(value):
        assert (read, quality) == (None, Quality.IMPLAUSIBLE)
    else:
        assert (read, quality) == (value, Quality.GOOD)


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, 1, 2, 3]))
def test_decimal_scales_are_exact(raw: int, digits: int) -> None:
    read, _ = one(profile_of(point("i32", scale=10.0**-digits)), *encode("i32", raw, "big"))
    assert read == raw / 10**digits


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=16))
def test_text_ends_at_the_first_nul_whatever_the_word_order(text: str) -> None:
    raw = text.encode().ljust(16, b"\0")
    profile = profile_of(point("ascii", name="identity.serial", count=8), word_order="little")
    assert one(profile, *words_of_bytes(raw, "big")) == (text, Quality.GOOD)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["u16", "i32", "u64"])), min_size=1, max_size=12), st.data()
)
def test_any_layout_decodes_whatever_the_plan(layout: list[tuple[int, str]], data: st.DataObject) -> None:
    points, memory, expected, address = [], {}, {}, 0
    for number, (gap, type_) in enumerate(layout):
        address += gap
        value = data.draw(st.integers(0, 2**15))
        order = data.draw(st.sampled_from(["big", "little"]))
        name = f"scale.p{number}"
        points.append(point(type_, address, name, word_order=order))
        memory |= {address + i: word for i, word in enumerate(encode(type_, value, order))}
        expected[name] = value
        address += BITS[type_] // 16
    limits = {"max_read_registers": data.draw(st.integers(4, 125)), "max_gap": data.draw(st.integers(0, 8))}
    decoder = Decoder(profile_of(*points, **limits), points)
    for block in decoder.blocks:
        assert block.count <= limits["max_read_registers"]
    blocks = [[memory.get(block.address + i, 0xDEAD) for i in range(block.count)] for block in decoder.blocks]
    assert {name: value for name, (value, _) in decoder.decode(blocks).items()} == expected


def test_check_words_of_the_reference() -> None:
    assert one(profile_of(point("f32")), 0x4366, 0x8000) == (230.5, Quality.GOOD)
    assert one(profile_of(point("f32"), word_order="little"), 0x8000, 0x4366) == (230.5, Quality.GOOD)
    assert one(profile_of(point("i32", scale=0.1)), 0xFFFF, 0xCFC7) == (-1234.5, Quality.GOOD)
    assert one(profile_of(point("i32", scale=0.1, word_order="little")), 0xCFC7, 0xFFFF) == (-1234.5, Quality.GOOD)
    assert one(profile_of(point("i64")), 0, 0, 0x4996, 0x02D2) == (1_234_567_890, Quality.GOOD)


def test_linear_ranges_put_zero_between_two_raw_values() -> None:
    line = Linear(raw_lo=0, raw_hi=9999, eng_lo=-108_682.56, eng_hi=108_682.56)
    value, _ = one(profile_of(point("u16", linear=line)), 5000)
    assert value == pytest.approx(10.87, abs=0.01)


def test_sentinels_and_ranges() -> None:
    assert one(profile_of(point("i32", invalid=("7FFFFFFF",))), 0x7FFF, 0xFFFF) == NOTHING
    assert one(profile_of(point("i32", invalid=("7FFFxxxx",))), 0x7FFF, 0x1234) == NOTHING
    assert one(profile_of(point("f32", invalid=("C61C4000",))), 0xC61C, 0x4000) == NOTHING  # −10,000.0
    assert one(profile_of(point("acc32")), 0, 0) == NOTHING
    assert one(profile_of(point("u16", valid_range=(0.0, 100.0))), 101) == (101, Quality.IMPLAUSIBLE)


def test_scale_and_sign_may_stand_in_other_registers() -> None:
    points = (
        point("i16", 0, scale_point="scale.power", sign_point="sign.power"),
        point("sunssf", 1, "scale.power"),
        point("bits", 9, "sign.power", mask=0x0100),
    )
    decoder = Decoder(profile_of(*points), points)
    assert [block.count for block in decoder.blocks] == [2, 1]
    assert decoder.decode([[1234, 0xFFFE], [0]])["power.total"] == (12.34, Quality.GOOD)
    assert decoder.decode([[1234, 1], [0x0100]])["power.total"] == (-12_340, Quality.GOOD)
    assert decoder.decode([[1234, 0x8000], [0]])["power.total"] == NOTHING
    assert decoder.decode([[1234, 11], [0]])["power.total"] == NOTHING


def test_masks_and_codes() -> None:
    assert one(profile_of(point("bits", mask=0x0F00)), 0x2A31) == (0xA, Quality.GOOD)
    coded = point("u16", name="identity.model", enum={"3": "EM-3", "4": "EM-4"})
    assert one(profile_of(coded), 4) == ("EM-4", Quality.GOOD)
    assert one(profile_of(coded), 5) == NOTHING


@pytest.mark.parametrize(("register", "factor"), [(0.5, 0.5), (-0.5, -0.5), (1.5, 0.5), (-1.5, -0.5), (1.0, 1.0)])
def test_four_quadrant_power_factors(register: float, factor: float) -> None:
    quirk = Quirk(effect="power-factor-four-quadrant", note="")
    profile = profile_of(point("f32", name="power_factor.total"), quirks=(quirk,))
    assert one(profile, *encode("f32", register, "big")) == (factor, Quality.GOOD)


def test_the_plan_and_the_words_must_fit() -> None:
    profile = profile_of(point("u16"))
    with pytest.raises(ValueError, match="2 words where the plan has 1"):
        Decoder(profile, profile.points).decode([[1, 2]])
