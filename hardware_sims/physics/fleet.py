"""All miners of a site, stepped together. Deterministic: the same seed, steps and orders give the same figures."""

from collections.abc import Sequence

import numpy as np

from hardware_sims.model import MinerModel
from hardware_sims.physics import phase, thermal
from hardware_sims.physics.ambient import Ambient
from hardware_sims.physics.build import NO_WEAR, Wear, build
from hardware_sims.physics.columns import Floats, Ints
from hardware_sims.physics.history import WorkHistory
from hardware_sims.physics.ladder import Ladders

S_PER_H = 3_600.0
SHARES_PER_S = 0.3  # a pool's difficulty keeps a machine at its nameplate near this rate
REJECTED_SHARE = 0.002
STALE_SHARE = 0.003
ERRORS_PER_TH = 1e-5
_NOISE = 0.012
_NOISE_LAG_S = 15.0


class Fleet:
    """`models[i]` stands in container `containers[i]` (counted from 0). Step it; read `columns` or single machines."""

    def __init__(
        self,
        models: Sequence[MinerModel],
        containers: Sequence[int],
        *,
        seed: int,
        start_unix_s: float = 1_750_000_000.0,
        wear: Wear = NO_WEAR,
        warm: bool = True,
    ) -> None:
        by_name = {model.name: model for model in models}
        kinds, names = tuple(by_name.values()), list(by_name)
        model_of: Ints = np.array([names.index(model.name) for model in models], dtype=np.int64)
        self.models = tuple(models)
        self.start_unix_s = start_unix_s
        self.now_s = 0.0
        self.rng = np.random.default_rng(seed)
        self.columns = build(kinds, model_of, self.rng, wear=wear, warm=warm)
        self.ladders = Ladders(kinds, model_of)
        self.history = WorkHistory(len(models))
        self._chips: Floats = np.array([model.chips for model in models], dtype=np.float64)
        self._container_of: Ints = np.array(containers, dtype=np.int64)
        normal_w = np.array([model.modes["normal"] for model in models], dtype=np.float64)
        full_load_w: Floats = np.bincount(self._container_of, weights=normal_w).astype(np.float64)
        self.ambient = Ambient(self._container_of, full_load_w, start_unix_s)
        self._breathe()
        self.ladders.set_levels(self.columns, 0.0)
        self.columns.power_w[:] = thermal.wall_power_w(self.columns, self.columns.fans)
        self.history.push(0.0, self.columns.work_th)

    def step(self, dt: float) -> None:
        """Move everything `dt` simulated seconds on. Steps up to 10 s keep all lags and ramps in shape."""
        columns = self.columns
        self.now_s += dt
        now = self.now_s
        phase.advance(columns, now, self.rng)
        self.ladders.set_levels(columns, now)
        alive = columns.boards & (now < columns.board_dies_at)
        turning = columns.fans & (now < columns.fan_dies_at)
        thermal.move_power(columns, alive, dt)
        flow = thermal.move_fans(columns, turning, dt)
        thermal.move_boards(columns, flow, dt)
        columns.power_w[:] = thermal.wall_power_w(columns, turning)
        columns.energy_wh += columns.power_w * (dt / S_PER_H)
        self._hash(alive, dt)
        self.ambient.step(now, dt, columns.power_w)
        self._breathe()
        self.history.push(now, columns.work_th)

    def expected_ths(self, row: int) -> float:
        """At the mode and limit in force, for a unit without faults."""
        return float(self.ladders.of(row).hashrate_ths(self.columns.target_w[row : row + 1])[0])

    def _breathe(self) -> None:
        columns = self.columns
        columns.environment_c[:] = self.ambient.inlet_c[self._container_of]
        columns.inlet_c[:] = columns.environment_c + columns.air_offset_c

    def _hash(self, alive: np.ndarray, dt: float) -> None:
        columns = self.columns
        fade = float(np.exp(-dt / _NOISE_LAG_S))
        shock = self.rng.normal(0.0, _NOISE * np.sqrt(1 - fade * fade), len(columns))
        columns.noise[:] = columns.noise * fade + shock
        rate = columns.level_ths * columns.hash_factor * (1.0 + columns.noise)
        good_chips = columns.chips_good / self._chips[:, None]
        columns.board_ths[:] = np.where(alive, rate[:, None] * columns.board_share * good_chips, 0.0)
        total: Floats = columns.board_ths.sum(axis=1)
        columns.work_th += total * dt
        found = self.rng.poisson(SHARES_PER_S * dt * total / columns.nameplate_ths)
        rejected = self.rng.binomial(found, REJECTED_SHARE)
        stale = self.rng.binomial(found - rejected, STALE_SHARE)
        columns.rejected += rejected
        columns.stale += stale
        columns.accepted += found - rejected - stale
        columns.hardware_errors += self.rng.poisson(columns.board_ths * (ERRORS_PER_TH * dt))
