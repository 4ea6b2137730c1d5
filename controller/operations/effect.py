"""What an order would do to the site's load, and whether the feeders can carry it."""

import numpy as np
from numpy.typing import NDArray

from controller.mining.fleet.array import Floats
from controller.mining.fleet.ladder import Idle
from controller.mining.fleet.tree import NO_LIMIT_W
from controller.operations.moment import Moment
from controller.views.command import Check
from shared.actions import Action, Locate, ReadNow, SetPowerLimit, Sleep, Wake
from shared.states import OpState


def change_w(moment: Moment, rows: NDArray[np.intp], action: Action) -> Floats | None:
    """Watts more or less by miner; None for an action whose effect nobody can tell beforehand."""
    snapshot, frame = moment
    ladders, power_w = snapshot.roster.ladders, np.nan_to_num(frame.power_w[rows])
    asleep = frame.op_state[rows] == OpState.SLEEPING
    if isinstance(action, Locate | ReadNow):
        return np.zeros(len(rows))
    if isinstance(action, Sleep):
        sleep_w = np.where(ladders.idle[rows] == Idle.SLEEP, ladders.power_w[0, rows], 0)
        return np.minimum(sleep_w - power_w, 0.0)
    if isinstance(action, Wake):
        limit_w = frame.power_limit_w[rows]
        awake_w = np.where(np.isnan(limit_w), ladders.top_w[rows], limit_w)
        return np.where(asleep, np.maximum(awake_w - power_w, 0.0), 0.0)
    if isinstance(action, SetPowerLimit):
        return np.where(asleep, 0.0, action.limit_w - power_w)
    return None


def feeder_check(moment: Moment, rows: NDArray[np.intp], change: Floats) -> Check:
    """Loads after the order, the larger of meter and count, against the limits of all feeders."""
    snapshot = moment.snapshot
    tree, feeder = snapshot.tree, snapshot.roster.feeder[rows]
    placed = feeder >= 0
    own = np.bincount(feeder[placed], weights=change[placed], minlength=len(tree))
    load_w = snapshot.feeders.safe_w + tree.below(np.rint(own).astype(np.int64))
    limited = np.flatnonzero(tree.cap_w < NO_LIMIT_W)
    if not limited.size:
        return Check("no feeder of the site has a limit", passed=True)
    share = 100.0 * load_w[limited] / np.maximum(tree.cap_w[limited], 1)
    worst = int(np.argmax(share))
    over = int((share > 100.0).sum())
    name = f"worst: {tree.ids[limited[worst]]} at {share[worst]:.0f} %"
    if over:
        return Check(f"{over:,} feeders would be above their limits ({name})", passed=False)
    return Check(f"feeders stay within their limits ({name})", passed=True)
