"""The electrical tree as arrays: one row a feeder, three columns for the phases L1, L2, L3.

A feeder's power is what flows in at its upstream end: its children, its unmetered load and its own loss a + b P².
"""

import math
from collections.abc import Collection, Sequence

import numpy as np

from hardware_sims.physics.columns import Flags, Floats, Ints
from shared.errors import SettingInvalid
from shared.site import Feeder, Site

PHASES = ("L1", "L2", "L3")
MINER_TAN_PHI = 0.14  # power factor 0.99
UNMETERED_TAN_PHI = 0.62  # motors, power factor 0.85
VOLTAGE_DROP = 0.02  # at full load
NOMINAL_LN_V = 240.0
NOMINAL_HZ = 60.0
_DEFAULT_CONTINUOUS_FACTOR = 0.8
_LOSSES = {"transformer": (0.0015, 0.010), "site": (0.0, 0.0)}  # shares of the rating: without load, at full load
_LINE_LOSS = (0.0, 0.004)
_WANDER = {"voltage": 0.003, "frequency": 0.0002}
_WANDER_LAG_S = 120.0


class Tree:
    """`miner_feeder[i]` is the feeder id of miner i. Step it with the miners' wall power."""

    def __init__(self, site: Site, miner_feeder: Sequence[str], *, seed: int) -> None:
        self.feeders = site.feeder
        self.index = {feeder.id: row for row, feeder in enumerate(site.feeder)}
        self._rng = np.random.default_rng([seed, 2])
        count = len(self.feeders)
        self._on_phase: Flags = np.array([_phases_of(feeder) for feeder in self.feeders])
        self._share: Floats = self._on_phase / self._on_phase.sum(axis=1, keepdims=True)
        self._unmetered_w: Floats = np.array([[float(feeder.unmetered_w)] for feeder in self.feeders]) * self._share
        self._rated_w = np.array([_rated_w(feeder) for feeder in self.feeders])
        self._standing_w, self._copper = self._loss_terms()
        self._nominal_v = np.array([_line_to_neutral_v(feeder) for feeder in self.feeders])
        self._imbalance = self._rng.normal(0.0, 0.002, 3)
        self._wander = {"voltage": 0.0, "frequency": 0.0}
        self._levels, self._parent = self._levels_from_the_leaves()
        self._miner_feeder: Ints = np.array([self.index[feeder] for feeder in miner_feeder], dtype=np.int64)
        self.power_w: Floats = np.zeros((count, 3))
        self.reactive_var: Floats = np.zeros((count, 3))
        self.voltage_v: Floats = np.zeros((count, 3))
        self.current_a: Floats = np.zeros((count, 3))
        self.energy_wh: Floats = np.zeros(count)
        self.frequency_hz = NOMINAL_HZ
        self._energised: Flags = np.ones((count, 1), dtype=np.bool_)

    def step(self, dt: float, miner_power_w: Floats) -> None:
        """Sum up the tree and let `dt` simulated seconds of energy flow."""
        shares = self._share[self._miner_feeder] * miner_power_w[:, None]
        power_w = self._unmetered_w * self._energised
        reactive = power_w * UNMETERED_TAN_PHI
        np.add.at(power_w, self._miner_feeder, shares)
        np.add.at(reactive, self._miner_feeder, shares * MINER_TAN_PHI)
        for rows in self._levels:
            power_w[rows] += self._standing_w[rows] * self._energised[rows] + self._copper[rows] * power_w[rows] ** 2
            below = rows[self._parent[rows] >= 0]
            np.add.at(power_w, self._parent[below], power_w[below])
            np.add.at(reactive, self._parent[below], reactive[below])
        self.power_w, self.reactive_var = power_w, reactive
        self._move_voltages(dt)
        self.energy_wh += power_w.sum(axis=1) * (dt / 3_600.0)

    def open_breakers(self, feeder_ids: Collection[str]) -> None:
        """Only these feeders, and all below them, are without voltage from now on."""
        for row, feeder in enumerate(self.feeders):
            at: Feeder | None = feeder
            while at is not None and at.id not in feeder_ids:
                at = None if at.parent is None else self.feeders[self.index[at.parent]]
            self._energised[row] = at is None

    def has_mains(self, feeder_id: str) -> bool:
        return bool(self._energised[self.index[feeder_id], 0])

    @property
    def miner_has_mains(self) -> Flags:
        fed: Flags = self._energised[self._miner_feeder, 0]
        return fed

    def leg_voltage_v(self, feeder_id: str) -> float:
        """Line to neutral, on the feeder's phase or on the strongest of three."""
        return float(self.voltage_v[self.index[feeder_id]].max())

    def total_w(self, feeder_id: str) -> float:
        return float(self.power_w[self.index[feeder_id]].sum())

    def _move_voltages(self, dt: float) -> None:
        fade = math.exp(-dt / _WANDER_LAG_S)
        for name, size in _WANDER.items():
            shock = float(self._rng.normal(0.0, size * math.sqrt(1 - fade * fade)))
            self._wander[name] = self._wander[name] * fade + shock
        self.frequency_hz = NOMINAL_HZ * (1 + self._wander["frequency"])
        load = self.power_w / np.maximum(self._rated_w[:, None] * self._share, 1.0)
        sag = 1 + self._wander["voltage"] + self._imbalance - VOLTAGE_DROP * np.clip(load, 0.0, 1.5)
        self.voltage_v = np.where(self._on_phase & self._energised, self._nominal_v[:, None] * sag, 0.0)
        apparent_va = np.hypot(self.power_w, self.reactive_var)
        self.current_a = np.divide(
            apparent_va, self.voltage_v, out=np.zeros_like(apparent_va), where=self.voltage_v > 0
        )

    def _loss_terms(self) -> tuple[Floats, Floats]:
        """The loss terms a (W) and b (1/W), per feeder and phase."""
        shares = np.array([_LOSSES.get(feeder.kind, _LINE_LOSS) for feeder in self.feeders])
        standing = (shares[:, 0] * self._rated_w)[:, None] * self._share
        per_phase_rated = np.maximum(self._rated_w[:, None] * self._share, 1.0)
        copper = np.where(self._rated_w[:, None] > 0, shares[:, 1][:, None] / per_phase_rated, 0.0)
        return standing, copper

    def _levels_from_the_leaves(self) -> tuple[list[Ints], Ints]:
        parent = np.array([-1 if feeder.parent is None else self.index[feeder.parent] for feeder in self.feeders])
        depth = np.zeros(len(parent), dtype=np.int64)
        for row in range(len(parent)):
            above = parent[row]
            while above >= 0:
                depth[row] += 1
                above = parent[above]
        return [np.flatnonzero(depth == level) for level in range(int(depth.max()), -1, -1)], parent


def _phases_of(feeder: Feeder) -> list[bool]:
    if feeder.phases == 3:
        return [True, True, True]
    if feeder.phase not in PHASES:
        raise SettingInvalid(f"feeder {feeder.id!r} has one phase; write phase = L1, L2 or L3")
    return [feeder.phase == phase for phase in PHASES]


def _line_to_neutral_v(feeder: Feeder) -> float:
    if feeder.voltage_v is None:
        return NOMINAL_LN_V
    return feeder.voltage_v / math.sqrt(3) if feeder.phases == 3 else feeder.voltage_v


def _rated_w(feeder: Feeder) -> float:
    """100 % of its rating; 0 where the site gives none, and then it has no loss."""
    if feeder.rating_a is None or feeder.voltage_v is None:
        return 0.0 if feeder.limit_w is None else feeder.limit_w / _DEFAULT_CONTINUOUS_FACTOR
    return feeder.rating_a * feeder.voltage_v * (math.sqrt(3) if feeder.phases == 3 else 1.0)
