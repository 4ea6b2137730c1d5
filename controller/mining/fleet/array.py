"""Names for the arrays of this package: one element per device, feeder or increment."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]


def stable_order(numbers: Ints) -> Ints:
    """The order of small numbers that are not negative, equal ones as they stand. Short integers go by radix."""
    short = numbers.size > 0 and int(numbers.max()) < 1 << 16
    return np.argsort(numbers.astype(np.uint16) if short else numbers, kind="stable")
