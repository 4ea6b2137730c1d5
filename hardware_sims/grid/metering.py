"""What the meters of a site see: their feeder, with the error of their class, a little noise and their own faults."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from hardware_sims.faults import Fault, FaultState
from hardware_sims.grid.tree import Tree
from hardware_sims.physics.columns import Floats, Ints

NOISE = 0.0003
_S_PER_H = 3_600.0


@dataclass(frozen=True, slots=True)
class MeterSample:
    """One look at a meter; tuples hold L1, L2, L3. Import counts positive, powers carry their sign."""

    voltage_v: tuple[float, float, float]
    current_a: tuple[float, float, float]
    power_w: tuple[float, float, float]
    reactive_var: tuple[float, float, float]
    frequency_hz: float
    import_wh: float
    export_wh: float
    phase_import_wh: tuple[float, float, float]

    @property
    def total_w(self) -> float:
        return math.fsum(self.power_w)

    @property
    def total_var(self) -> float:
        return math.fsum(self.reactive_var)

    @property
    def apparent_va(self) -> tuple[float, float, float]:
        first, second, third = (math.hypot(p, q) for p, q in zip(self.power_w, self.reactive_var, strict=True))
        return first, second, third

    @property
    def total_va(self) -> float:
        return math.hypot(self.total_w, self.total_var)

    @property
    def power_factor(self) -> tuple[float, float, float]:
        first, second, third = (p / s if s > 0 else 1.0 for p, s in zip(self.power_w, self.apparent_va, strict=True))
        return first, second, third

    @property
    def total_power_factor(self) -> float:
        return self.total_w / self.total_va if self.total_va > 0 else 1.0


class Metering:
    """`feeders[i]` is the feeder that meter i measures, `classes_pct[i]` its accuracy class in percent."""

    def __init__(
        self,
        tree: Tree,
        feeders: Sequence[str],
        classes_pct: Sequence[float],
        faults: Sequence[FaultState],
        *,
        seed: int,
    ) -> None:
        self._tree = tree
        self._rng = np.random.default_rng([seed, 3])
        self._rows: Ints = np.array([tree.index[feeder] for feeder in feeders], dtype=np.int64)
        error = np.array(classes_pct, dtype=np.float64) / 100
        self.gain: Floats = 1 + np.clip(self._rng.normal(0.0, error / 3), -error, error)
        self._sign: Floats = np.ones((len(feeders), 3))
        self._power_w: Floats = np.zeros((len(feeders), 3))
        self._phase_import_wh: Floats = self._rng.uniform(5e6, 5e8, (len(feeders), 1)) * np.full(3, 1 / 3)
        self._import_wh: Floats = self._phase_import_wh.sum(axis=1)
        self._export_wh: Floats = np.zeros(len(feeders))
        self._faults = faults
        self._frozen: dict[int, MeterSample] = {}
        for meter, state in enumerate(faults):
            state.watch(partial(self._take_faults, meter))

    def step(self, dt: float) -> None:
        """Measure the tree as it stands and count `dt` simulated seconds of energy."""
        noise = 1 + self._rng.normal(0.0, NOISE, (len(self._rows), 1))
        true_w = self._tree.power_w[self._rows] * self._sign
        self._power_w = true_w * self.gain[:, None] * noise
        counted_wh = true_w * self.gain[:, None] * (dt / _S_PER_H)
        total_wh = counted_wh.sum(axis=1)
        self._import_wh += np.maximum(total_wh, 0.0)
        self._export_wh += np.maximum(-total_wh, 0.0)
        self._phase_import_wh += np.maximum(counted_wh, 0.0)

    def sample(self, meter: int) -> MeterSample:
        return self._frozen.get(meter) or self._live(meter)

    def _live(self, meter: int) -> MeterSample:
        row, factor = self._rows[meter], self._faults[meter].unit_factor
        return MeterSample(
            voltage_v=_three(self._tree.voltage_v[row]),
            current_a=_three(self._tree.current_a[row] * self.gain[meter]),
            power_w=_three(self._power_w[meter] * factor),
            reactive_var=_three(self._tree.reactive_var[row] * self._sign[meter] * self.gain[meter] * factor),
            frequency_hz=self._tree.frequency_hz,
            import_wh=float(self._import_wh[meter]),
            export_wh=float(self._export_wh[meter]),
            phase_import_wh=_three(self._phase_import_wh[meter]),
        )

    def _take_faults(self, meter: int) -> None:
        state = self._faults[meter]
        self._sign[meter] = 1.0
        if state.active(Fault.CT_REVERSED):
            reversed_phases = [phase - 1 for phase in state.detail(Fault.CT_REVERSED).phases]
            self._sign[meter, reversed_phases] = -1.0
        if not state.active(Fault.FROZEN):
            self._frozen.pop(meter, None)
        elif meter not in self._frozen:
            self._frozen[meter] = self._live(meter)


def _three(values: Floats) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
