"""Which registers to ask for in one request: neighbours are merged, values are never cut."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from shared.profiles.model import ModbusSettings
from shared.profiles.point import Point, Poll, Table

URGENCY: Final[tuple[Poll, ...]] = ("fast", "normal", "slow", "once")
LAST_ADDRESS: Final = 0xFFFF
_MODICON: Final[dict[Table, tuple[int, int]]] = {"input": (30_001, 300_001), "holding": (40_001, 400_001)}
_FIVE_DIGITS: Final = 99_999


class Block(msgspec.Struct, frozen=True):
    """One read: `count` registers from protocol address `address`. `poll` is the most urgent of its points."""

    table: Table
    address: int
    count: int
    poll: Poll
    points: tuple[Point, ...]


def protocol_address(table: Table, address: int, settings: ModbusSettings) -> int:
    """The address as it travels, from the number as the profile writes it."""
    if settings.address_base == "modicon":
        five, six = _MODICON[table]
        return address - (five if address <= _FIVE_DIGITS else six)
    return address - settings.address_base


def plan(points: Iterable[Point], settings: ModbusSettings) -> tuple[Block, ...]:
    """The fewest reads that `max_read_registers`, `max_gap` and `single_reads` allow, in the order of addresses."""
    single = set(settings.single_reads)
    blocks: list[Block] = []
    for placed in sorted(_placed(points, settings), key=lambda item: (item.table, item.address)):
        alone = _is_single(placed, single) or not blocks or _is_single(blocks[-1], single)
        merged = None if alone else _merged(blocks[-1], placed, settings)
        if merged is None:
            blocks.append(placed)
        else:
            blocks[-1] = merged
    return tuple(blocks)


def _placed(points: Iterable[Point], settings: ModbusSettings) -> Iterator[Block]:
    for point in points:
        assert point.table is not None
        assert point.address is not None
        address = protocol_address(point.table, point.address, settings)
        yield Block(point.table, address, point.words, point.poll, (point,))


def _is_single(block: Block, single: set[int]) -> bool:
    return block.points[0].address in single


def _merged(left: Block, right: Block, settings: ModbusSettings) -> Block | None:
    end = max(left.address + left.count, right.address + right.count)
    count = end - left.address
    gap = right.address - (left.address + left.count)
    if left.table != right.table or gap > settings.max_gap or count > settings.max_read_registers:
        return None
    poll = min(left.poll, right.poll, key=URGENCY.index)
    return Block(left.table, left.address, count, poll, left.points + right.points)
