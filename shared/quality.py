"""How far a value can be trusted. Travels with every value from the driver to the screen.

A row of values carries its qualities as one integer, four bits a field (`pack_qualities`), so that a column of rows is
a column of integers and numpy can take them apart without a Python loop.
"""

from collections.abc import Iterable
from enum import IntEnum

QUALITY_BITS = 4
QUALITY_MASK = 0xF
MAX_PACKED_FIELDS = 15  # 60 bits: fits the signed 64-bit integer of SQLite and MessagePack


class Quality(IntEnum):
    """Numbers are on the wire and in stored rows: append only, never renumber."""

    ABSENT = 0  # the device has no such value, or did not send it
    GOOD = 1
    DERIVED = 2  # computed by us or by the device from good values
    ESTIMATED = 3  # a model's guess, such as watts of a miner without a meter
    STALE = 4  # older than its deadline
    FROZEN = 5  # identical to the last digit for too long while it should move
    UNIT_SUSPECT = 6  # magnitude says that the unit is wrong
    IMPLAUSIBLE = 7  # outside the physical range

    @property
    def usable(self) -> bool:
        """May a rule or an optimiser act on it?"""
        return self in USABLE


USABLE = frozenset({Quality.GOOD, Quality.DERIVED, Quality.ESTIMATED})


def pack_qualities(qualities: Iterable[int]) -> int:
    """First field in the lowest four bits. At most MAX_PACKED_FIELDS."""
    packed = 0
    for index, quality in enumerate(qualities):
        packed |= quality << (QUALITY_BITS * index)
    return packed


def quality_at(packed: int, index: int) -> Quality:
    return Quality((packed >> (QUALITY_BITS * index)) & QUALITY_MASK)
