"""The air that containers draw in: a day's curve outside, warmed by a little of their own exhaust."""

import math

import numpy as np

from hardware_sims.physics.columns import Floats, Ints

DAY_S = 86_400.0
MEAN_C = 22.0
SWING_C = 7.0
WARMEST_AT_S = 15 * 3_600.0  # of the simulated UTC day
RECIRCULATION_K = 4.0  # at full load
_LAG_S = 300.0


class Ambient:
    """Mean inlet temperature of each container. `hold` pins the outside air, for tests of thermal protection."""

    def __init__(self, container_of: Ints, full_load_w: Floats, start_unix_s: float) -> None:
        self._container_of = container_of
        self._full_load_w = full_load_w
        self._start_unix_s = start_unix_s
        self._held_c: float | None = None
        self.inlet_c = np.full(len(full_load_w), self.outside_c(0.0) + RECIRCULATION_K)

    def outside_c(self, now_s: float) -> float:
        if self._held_c is not None:
            return self._held_c
        angle = 2 * math.pi * (self._start_unix_s + now_s - WARMEST_AT_S) / DAY_S
        return MEAN_C + SWING_C * math.cos(angle)

    def hold(self, outside_c: float | None) -> None:
        """Pin the outside temperature; None returns to the day's curve."""
        self._held_c = outside_c

    def step(self, now_s: float, dt: float, power_w: Floats) -> None:
        load_w = np.bincount(self._container_of, weights=power_w, minlength=len(self._full_load_w))
        warmed = self.outside_c(now_s) + RECIRCULATION_K * load_w / np.maximum(self._full_load_w, 1.0)
        self.inlet_c += (warmed - self.inlet_c) * -math.expm1(-dt / _LAG_S)
