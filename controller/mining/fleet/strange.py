"""Codes that only a newer agent knows become the one that claims least, so that nobody behind the twin meets them."""

from enum import IntEnum
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from controller.mining.fleet.array import Ints
from shared.quality import Quality
from shared.states import OpState, PowerSource, Reach

Int16s = npt.NDArray[np.int16]

LEAST: Final = MappingProxyType(
    {"reach": Reach.MALFORMED, "op_state": OpState.UNKNOWN, "power_source": PowerSource.NONE}
)
"""By the name of the code. A device that was read in a way that we do not know was not read as far as we can tell."""
_NEWER: Final = 0x0888_8888_8888_8888  # the bit of each nibble of a packed quality that no Quality of ours has
_LEAST_QUALITY: Final = 0x1111_1111_1111_1111 * Quality.IMPLAUSIBLE


def understood(name: str, codes: Int16s) -> tuple[Int16s, int]:
    """The codes, those that are not known replaced, and how many these were. Ours are numbered from 0 without holes."""
    least: IntEnum | None = LEAST.get(name)
    if least is None:
        return codes, 0
    strange = (codes < 0) | (codes >= len(type(least)))
    count = int(np.count_nonzero(strange))
    return (np.where(strange, np.int16(least), codes), count) if count else (codes, 0)


def understood_quality(packed: Ints) -> tuple[Ints, int]:
    """The same for packed qualities: unknown is not usable. Counts the rows."""
    newer = packed & _NEWER
    count = int(np.count_nonzero(newer))
    if not count:
        return packed, 0
    nibbles = newer | newer >> 1 | newer >> 2 | newer >> 3
    return packed & ~nibbles | nibbles & _LEAST_QUALITY, count
