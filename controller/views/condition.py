"""How a miner stands against what is expected of it: one word and one map colour each."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from shared.states import OpState, Reach

FAR_BELOW_RATIO = 0.80
BELOW_RATIO = 0.93


class Condition(IntEnum):
    """Ordered by how little a person needs to do; the numbers are the bytes of the map, append only."""

    AS_EXPECTED = 0
    STARTING = 1
    ASLEEP = 2  # by order or by a person at the machine
    BELOW = 3  # 7 to 20 % under its expected hash rate
    FAR_BELOW = 4  # more than 20 % under
    WARM = 5
    HOT = 6
    FAULT = 7  # stopped by its own protection, or a board is missing
    UNPOWERED = 8
    SILENT = 9  # nobody can say

    @property
    def word(self) -> str:
        """As written in queries, links and the API."""
        return self.name.lower().replace("_", "-")


WORDS = {condition.word: condition for condition in Condition}
EXCEPTIONS = (
    Condition.FAULT,
    Condition.UNPOWERED,
    Condition.SILENT,
    Condition.HOT,
    Condition.FAR_BELOW,
    Condition.WARM,
    Condition.BELOW,
)


def classify(
    *,
    op_state: NDArray[np.uint8],
    known: NDArray[np.bool_],
    powered: NDArray[np.int8],
    hash_ratio: NDArray[np.float64],
    chip_temp_c: NDArray[np.float64],
    board_missing: NDArray[np.bool_],
    warm_c: float,
    hot_c: float,
) -> NDArray[np.uint8]:
    """One Condition per row. `known` tells that a fresh reading exists, `powered` is 1, 0 or -1 for unknown.

    Worse overrules better, and what cannot be seen overrules everything except a known loss of power.
    """
    condition = np.full(op_state.shape, Condition.AS_EXPECTED, dtype=np.uint8)
    condition[hash_ratio < BELOW_RATIO] = Condition.BELOW
    condition[hash_ratio < FAR_BELOW_RATIO] = Condition.FAR_BELOW
    condition[chip_temp_c >= warm_c] = Condition.WARM
    condition[np.isin(op_state, (OpState.STARTING, OpState.TUNING))] = Condition.STARTING
    condition[chip_temp_c >= hot_c] = Condition.HOT
    condition[board_missing] = Condition.FAULT
    condition[np.isin(op_state, (OpState.SLEEPING, OpState.STOPPED_USER))] = Condition.ASLEEP
    condition[np.isin(op_state, (OpState.STOPPED_FAULT, OpState.STOPPED_THERMAL))] = Condition.FAULT
    condition[~known] = Condition.SILENT
    condition[powered == 0] = Condition.UNPOWERED
    return condition


def reading_is_fresh(
    reach: NDArray[np.uint8], observed_at_ms: NDArray[np.int64], now_ms: int, stale_after_s: float
) -> NDArray[np.bool_]:
    """The last attempt succeeded, and not longer ago than `stale_after_s`."""
    fresh: NDArray[np.bool_] = (reach == Reach.UP) & (now_ms - observed_at_ms <= stale_after_s * 1000)
    return fresh
