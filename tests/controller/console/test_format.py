"""Numbers as people read them, by their properties."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.console import format as fmt

FINITE = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)


@given(FINITE, st.integers(0, 4))
def test_a_number_reads_back_as_what_it_was(value: float, decimals: int) -> None:
    text = fmt.number(value, decimals)
    back = float(text.replace(",", "").replace(fmt.MINUS, "-"))
    assert abs(back - value) <= 0.5 * 10**-decimals + abs(value) * 1e-12
    assert "-" not in text
    assert re.fullmatch(rf"{fmt.MINUS}?\d{{1,3}}(,\d{{3}})*(\.\d+)?", text)
    assert len(text.partition(".")[2]) == decimals


def test_a_negative_nothing_is_zero() -> None:
    assert fmt.number(-0.004, 2) == "0.00"
    assert fmt.signed(-0.004, 2) == "0.00"
    assert fmt.signed(1.0) == "+1.0"
    assert fmt.signed(-1.0) == f"{fmt.MINUS}1.0"


@pytest.mark.parametrize("function", [fmt.number, fmt.signed, fmt.percent, fmt.celsius, fmt.duration, fmt.count])
def test_what_is_not_known_is_a_dash(function) -> None:
    assert function(None) == fmt.MISSING


def test_a_quantity_that_is_not_known_has_no_unit() -> None:
    assert fmt.quantity(None, fmt.MEGAWATT) == fmt.MISSING
    assert fmt.quantity(36_900_000, fmt.MEGAWATT) == f"36.90{fmt.NBSP}MW"
    assert fmt.quantity(0.0, fmt.KILOWATT) == f"0.0{fmt.NBSP}kW"


@given(st.floats(min_value=0, max_value=1e8))
def test_a_duration_is_off_by_less_than_its_smallest_unit(seconds: float) -> None:
    scale = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
    parts = re.findall(r"([\d.]+)\s(s|min|h|d)", fmt.duration(seconds))
    assert 1 <= len(parts) <= 2
    total = sum(float(number) * scale[unit] for number, unit in parts)
    assert abs(total - seconds) <= (0.06 if seconds < 9.95 else scale[parts[-1][1]])


def test_durations_as_written_in_the_visual_language() -> None:
    assert [fmt.duration(s).replace(fmt.NBSP, " ") for s in (1.1, 12, 372, 11_100, 187_200)] == [
        "1.1 s",
        "12 s",
        "6 min 12 s",
        "3 h 05 min",
        "2 d 4 h",
    ]


def test_one_unit_is_chosen_from_the_greatest_value() -> None:
    assert fmt.power_unit(1.9e6) is fmt.KILOWATT
    assert fmt.power_unit(36e6) is fmt.MEGAWATT
    assert fmt.hash_unit(31_000) is fmt.PETAHASH
    assert fmt.hash_unit(2_140_000) is fmt.EXAHASH
    assert fmt.power_unit(None) is fmt.KILOWATT


def test_times_are_those_of_the_site() -> None:
    at_ms = 1_760_000_000_000
    chicago = fmt.zone("America/Chicago")
    assert fmt.clock(at_ms, chicago) == "03:53:20"
    assert fmt.zone_name(at_ms, chicago) == "CDT"
    assert fmt.moment(at_ms, None) == "2025-10-09 08:53:20"
    assert fmt.clock(None, chicago) == fmt.MISSING
    assert fmt.zone("No/Such") is None
    assert fmt.zone("../etc/passwd") is None


def test_plurals() -> None:
    assert fmt.plural(1, "miner") == f"1{fmt.NBSP}miner"
    assert fmt.plural(1180, "miner") == f"1,180{fmt.NBSP}miners"
