"""From watts at the wall to hash rate, along each model's ladder, and the steps of the ramp towards a target."""

import numpy as np

from hardware_sims.model import MinerModel
from hardware_sims.physics import phase
from hardware_sims.physics.columns import Columns, Floats, Ints

RAMP_FROM = 0.4  # of the target, at the first step
OVERSHOOT = 1.03  # in the last two steps, while the tuner searches
_IDLE_SHARE = 0.3  # of the lowest rung: boards powered, nothing hashed


class Ladder:
    """Piecewise linear, continued below its lowest rung to no hash at idle watts and flat above its highest."""

    def __init__(self, model: MinerModel) -> None:
        watts, rates = zip(*model.ladder, strict=True)
        self._watts = np.array([watts[0] * _IDLE_SHARE, *watts])
        self._rates = np.array([0.0, *rates])

    def hashrate_ths(self, power_w: Floats) -> Floats:
        rates: Floats = np.interp(power_w, self._watts, self._rates)
        return rates


class Ladders:
    """The ladder of each row. Only rows whose level changed since the last call are worked out again."""

    def __init__(self, models: tuple[MinerModel, ...], model_of: Ints) -> None:
        self._ladders = [Ladder(model) for model in models]
        self._model_of = model_of

    def of(self, row: int) -> Ladder:
        return self._ladders[int(self._model_of[row])]

    def set_levels(self, columns: Columns, now: float) -> None:
        """Bring `level_w` and `level_ths` to the present step of each row's ramp."""
        level = np.zeros(len(columns))
        hashing = columns.state == phase.HASHING
        level[hashing] = columns.target_w[hashing]
        tuning = np.flatnonzero(columns.state == phase.TUNING)
        if len(tuning):
            level[tuning] = _ramp_level(columns, tuning, now)
        changed = np.flatnonzero(level != columns.level_w)
        if not len(changed):
            return
        columns.level_w[changed] = level[changed]
        models = self._model_of[changed]
        for model in np.unique(models):
            rows = changed[models == model]
            columns.level_ths[rows] = self._ladders[int(model)].hashrate_ths(level[rows])


def _ramp_level(columns: Columns, rows: Ints, now: float) -> Floats:
    ramp_s, steps = columns.ramp_s[rows], columns.ramp_steps[rows]
    progress = 1.0 - (columns.state_until[rows] - now) / ramp_s
    step = np.clip(np.floor(progress * steps), 0, steps - 1)
    fraction = RAMP_FROM + (1.0 - RAMP_FROM) * (step + 1) / steps
    level: Floats = columns.target_w[rows] * np.where(step >= steps - 2, fraction * OVERSHOOT, fraction)
    return level
