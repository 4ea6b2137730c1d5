"""The mode of its ladder that each miner is in, as far as it has been seen."""

import numpy as np

from controller.mining.fleet.array import Floats, Ints
from controller.mining.fleet.ladder import Idle, Ladders
from controller.mining.fleet.snapshot import SiteSnapshot
from shared.states import OpState


def current_modes(snapshot: SiteSnapshot) -> Ints:
    """The mode that each miner of the roster is in; -1 where that cannot be said."""
    ladders, state = snapshot.roster.ladders, snapshot.op_state
    everyone = np.arange(len(state))
    target = np.where(ladders.limits, snapshot.value("power_limit_w"), np.nan)
    target = np.where(np.isnan(target), snapshot.value("power_w"), target)
    running = _nearest_running(ladders, target)
    runs = np.isin(state, (OpState.HASHING, OpState.STARTING, OpState.TUNING)) & (ladders.modes > 0)
    idle = (ladders.idle != Idle.NONE) & (state == OpState.SLEEPING)
    unpowered = (ladders.idle == Idle.OUTLET) & snapshot.outlet.off & ~snapshot.fresh
    mode = np.where(runs, running[everyone], -1)
    return np.where(idle | unpowered, 0, mode)


def _nearest_running(ladders: Ladders, target_w: Floats) -> Ints:
    """The running mode nearest to some watts; the top where the watts are not known."""
    first = (ladders.idle != Idle.NONE).astype(np.int64)
    best, distance = np.maximum(ladders.modes - 1, 0), np.full(len(target_w), np.inf)
    for mode in range(len(ladders.power_w)):
        away = np.abs(ladders.power_w[mode] - target_w)
        nearer = (mode >= first) & (mode < ladders.modes) & (away < distance)
        best, distance = np.where(nearer, mode, best), np.where(nearer, away, distance)
    return best
