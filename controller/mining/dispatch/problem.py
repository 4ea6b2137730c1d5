"""One site's dispatch problem, frozen: which modes each miner may take, what they draw and earn, what feeders carry.

Miners stand in the tree's depth-first order, so everything below a feeder is one slice of miners. All watts are
integers: whether a decision fits has no tolerance.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

from controller.mining.fleet.array import Bools, Codes, Floats, Ints
from controller.mining.fleet.tree import FeederTree


class Lock(IntEnum):
    """Why a miner is not free to choose."""

    NONE = 0
    UNSEEN = 1  # silent, stale or of unknown power: counted at its worst case
    UNSETTLED = 2  # starting, tuning, or on an order that no read-back has confirmed
    FAULT = 3  # stopped by itself or by its user
    NO_CURVE = 4  # nobody knows what its modes draw
    NO_VERB = 5  # it cannot be ordered to another mode
    DWELL = 6  # changed too recently
    OPERATOR = 7  # held by a person


@dataclass(frozen=True, eq=False)
class Problem:
    """`n` miners with up to `M` modes below the feeders of a tree; `power_w` and `hashrate_ths` are [M, n].

    Watts rise from mode to mode up to `high`. Free miners take a mode from 0 to `high`; the others draw `locked_w` and
    stay as they are. `current` is the mode a miner is in, -1 where that is not known. `row` leads back to the snapshot.
    `cap_w` holds the limits that count now; `reserved_w` is drawn at a feeder by what is not dispatched. A change of
    mode costs `switch_usd_h`.
    """

    tree: FeederTree
    row: Ints
    feeder: Ints
    power_w: Ints
    hashrate_ths: Floats
    high: Ints
    current: Ints
    free: Bools
    lock: Codes
    locked_w: Ints
    cap_w: Ints
    reserved_w: Ints
    energy_usd_wh: float
    hashprice_usd_ths_h: float
    switch_usd_h: float = 0.0

    def __len__(self) -> int:
        return len(self.feeder)

    @cached_property
    def value_usd_h(self) -> Floats:
        """[M, n]: what a mode earns in an hour after energy and the cost of changing into it."""
        value = np.empty(self.power_w.shape)
        for mode, (hashrate_ths, power_w) in enumerate(zip(self.hashrate_ths, self.power_w, strict=True)):
            np.multiply(hashrate_ths, self.hashprice_usd_ths_h, out=value[mode])
            value[mode] -= power_w * self.energy_usd_wh
        if self.switch_usd_h > 0:
            known = np.flatnonzero(self.current >= 0)
            stays = self.current[known], known
            unchanged_usd_h = value[stays]
            value -= self.switch_usd_h
            value[stays] = unchanged_usd_h
        return value

    @cached_property
    def allowed(self) -> Bools:
        """[M, n]: the modes that a decision may name for free miners."""
        return np.asarray((np.arange(len(self.power_w))[:, None] <= self.high) & self.free)

    @cached_property
    def best_usd_h(self) -> Floats:
        """The value of each miner's best mode, were there no feeders."""
        best: Floats = self.value_usd_h[0].copy()
        for mode in range(1, len(self.power_w)):
            np.maximum(best, self.value_usd_h[mode], out=best, where=mode <= self.high)
        return best

    @cached_property
    def base_load_w(self) -> Ints:
        """Load of each feeder with every free miner in its lowest mode."""
        return self.load_w(np.zeros(len(self), np.int64))

    @cached_property
    def limit_w(self) -> Ints:
        """`cap_w`, raised to the base load where even that is too much: what the least-violating decision keeps."""
        return np.maximum(self.cap_w, self.base_load_w)

    @cached_property
    def overloaded(self) -> Ints:
        """Feeders that no decision can bring below their limit; empty where the problem is feasible."""
        return np.flatnonzero(self.base_load_w > self.cap_w)

    def earned_usd_h(self, mode: Ints) -> float:
        """What the free miners earn under a decision."""
        return float(self.value_usd_h[mode, np.arange(len(self))][self.free].sum())

    def fits(self, mode: Ints) -> bool:
        """Does a decision name only allowed modes and stay within every limit?"""
        known = bool(((mode >= 0) & (mode <= self.high))[self.free].all())
        return known and bool((self.load_w(mode) <= self.limit_w).all())

    def draw_w(self, mode: Ints) -> Ints:
        """What each miner draws under a decision."""
        return np.where(self.free, self.power_w[mode, np.arange(len(self))], self.locked_w)

    def load_w(self, mode: Ints) -> Ints:
        """Load of each feeder under a decision."""
        own = np.bincount(self.feeder, weights=self.draw_w(mode), minlength=len(self.tree)).astype(np.int64)
        return self.tree.below(own + self.reserved_w)
