"""Which registers are asked for together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.profiles import Point, plan
from shared.profiles.model import ModbusSettings
from shared.profiles.plan import protocol_address
from shared.profiles.point import WORDS


def point(address: int, type_: str = "u16", table: str = "input", poll: str = "normal") -> Point:
    return Point(name=f"scale.{table}{address}", table=table, address=address, type=type_, poll=poll)


def spans(*points: Point, **settings: object) -> list[tuple[int, int]]:
    return [(block.address, block.count) for block in plan(points, ModbusSettings(modes=("tcp",), **settings))]


def test_neighbours_are_read_together_and_gaps_only_where_allowed() -> None:
    assert spans(point(0, "f32"), point(2, "f32"), point(6)) == [(0, 4), (6, 1)]
    assert spans(point(0, "f32"), point(2, "f32"), point(6), max_gap=2) == [(0, 7)]
    assert spans(point(0, "f32"), point(2, "f32"), point(6), max_gap=1) == [(0, 4), (6, 1)]


def test_a_value_is_never_cut_at_the_limit() -> None:
    assert spans(*(point(a, "f64") for a in (0, 4, 8)), max_read_registers=11) == [(0, 8), (8, 4)]


def test_single_reads_stand_alone() -> None:
    assert spans(point(0), point(1), point(2), single_reads=(1,)) == [(0, 1), (1, 1), (2, 1)]


def test_tables_are_never_mixed_and_order_does_not_matter() -> None:
    assert spans(point(1), point(0), point(2, table="holding")) == [(2, 1), (0, 2)]


def test_a_block_is_as_urgent_as_its_most_urgent_point() -> None:
    blocks = plan([point(0, poll="slow"), point(1, poll="fast")], ModbusSettings(modes=("tcp",)))
    assert [block.poll for block in blocks] == ["fast"]


@pytest.mark.parametrize(
    ("base", "table", "number", "address"),
    [
        (0, "input", 0x34, 0x34),
        (1, "holding", 3060, 3059),
        ("modicon", "input", 30_001, 0),
        ("modicon", "holding", 40_070, 69),
        ("modicon", "holding", 440_070, 40_069),
        ("modicon", "input", 300_001, 0),
    ],
)
def test_numbers_in_manuals_become_addresses_on_the_wire(base: object, table: str, number: int, address: int) -> None:
    assert protocol_address(table, number, ModbusSettings(modes=("tcp",), address_base=base)) == address


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["u16", "f32", "f64"])), min_size=1, max_size=30),
    st.integers(4, 125),
    st.integers(0, 12),
)
def test_every_plan_reads_every_value_whole_within_the_limits(
    layout: list[tuple[int, str]], limit: int, gap: int
) -> None:
    points, address = [], 0
    for skipped, type_ in layout:
        address += skipped
        points.append(point(address, type_))
        address += WORDS[type_]
    blocks = plan(points, ModbusSettings(modes=("tcp",), max_read_registers=limit, max_gap=gap))
    assert [p for block in blocks for p in block.points] == points
    for block in blocks:
        assert block.count <= limit
        for p in block.points:
            assert p.address is not None
            assert block.address <= p.address
            assert p.address + p.words <= block.address + block.count
