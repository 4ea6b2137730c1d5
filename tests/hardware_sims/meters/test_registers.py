import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_sims.meters.registers import ModbusRefusal, RegisterImage


def image(fill: int = 0) -> RegisterImage:
    return RegisterImage((range(0, 20), range(100, 110)), fill)


def test_check_words_of_a_float():
    registers = image()
    registers.f32(4, 230.5)
    assert registers.read(4, 2).hex() == "43668000"


def test_check_words_of_integers():
    registers = image()
    registers.integers(0, "i", [-12_345])
    registers.integers(2, "q", [1_234_567_890])
    assert registers.read(0, 6).hex() == "ffffcfc7" + "00000000499602d2"


@pytest.mark.parametrize(("address", "count"), [(19, 2), (20, 1), (99, 1), (0, 110), (110, 1), (65_535, 1)])
def test_registers_outside_the_spans_do_not_exist(address, count):
    with pytest.raises(ModbusRefusal) as refusal:
        image().read(address, count)
    assert refusal.value.code == 2


def test_gaps_read_as_the_types_filler():
    assert image(0xFFFF).read(0, 2) == b"\xff\xff\xff\xff"


@given(st.floats(allow_nan=False, allow_infinity=False, width=64), st.sampled_from("hHiIqQ"))
def test_integers_are_held_at_the_ends_of_their_type(value, kind):
    registers = image()
    registers.integers(0, kind, [value])
    words = struct.calcsize(f">{kind}") // 2
    (read,) = struct.unpack(f">{kind}", registers.read(0, words))
    low, high = (-(1 << 16 * words - 1), (1 << 16 * words - 1) - 1) if kind.islower() else (0, (1 << 16 * words) - 1)
    assert read == min(max(round(value), low), high)


def test_text_is_padded_with_nul():
    registers = image()
    registers.text(0, "iEM", 3)
    assert registers.read(0, 3) == b"iEM\0\0\0"
