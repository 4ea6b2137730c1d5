"""What is not free to choose, by device."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from controller.mining.fleet.array import Bools


@dataclass(frozen=True, kw_only=True)
class Bonds:
    """Miners held by a person, changed lately (`dwell`), left alone because they did not obey, or under an order to a
    mode (`ordered`).

    `settling` have been seen in the mode named there, and outlets and meters above them may not show it yet.
    """

    operator: frozenset[str] = frozenset()
    dwell: frozenset[str] = frozenset()
    disobeyed: frozenset[str] = frozenset()
    settling: Mapping[str, int] = field(default_factory=dict)
    ordered: Mapping[str, int] = field(default_factory=dict)


def named(ids: Collection[str], names: Collection[str]) -> Bools:
    """Which of the ids are among the names."""
    return np.fromiter(map(names.__contains__, ids), np.bool_, len(ids))
