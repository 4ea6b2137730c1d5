"""A miner's state in one sentence, from its row alone."""

from controller.mining.fleet.column import NEVER_MS
from controller.views.condition import Condition
from controller.views.frame import FleetFrame
from shared.states import OpState, Reach

_REACH = {
    Reach.UP: "it has said nothing since",
    Reach.TIMEOUT: "the last request timed out",
    Reach.REFUSED: "nothing listens at its address",
    Reach.AUTH: "it refuses our login",
    Reach.MALFORMED: "it answers with what its protocol does not allow",
    Reach.SKIPPED: "it failed so often that it is asked only now and then",
    Reach.NEVER: "it has not been asked yet",
    Reach.OTHER: "another device answers at its address",
}
_PLAIN = {
    Condition.AS_EXPECTED: "Running as expected.",
    Condition.UNPOWERED: "Without power: its outlet is off and it does not answer.",
}
_OP_STATES = {
    OpState.STARTING: "Starting.",
    OpState.TUNING: "Tuning its chips.",
    OpState.SLEEPING: "Asleep by order.",
    OpState.STOPPED_USER: "Stopped by a person at the machine.",
    OpState.STOPPED_THERMAL: "Stopped by its own protection: too hot.",
    OpState.STOPPED_FAULT: "Stopped by its own protection after a fault.",
}


def sentence_of(frame: FleetFrame, row: int) -> str:
    condition, op_state = Condition(frame.condition[row]), OpState(frame.op_state[row])
    if condition in _PLAIN:
        return _PLAIN[condition]
    if condition is Condition.SILENT:
        return _silent(frame, row)
    if condition in (Condition.HOT, Condition.WARM):
        limit_c = frame.chip_hot_c if condition is Condition.HOT else frame.chip_warm_c
        return f"Its chips are at {frame.chip_temp_c[row]:.0f} °C; {condition.word} begins at {limit_c:.0f} °C."
    if condition in (Condition.BELOW, Condition.FAR_BELOW):
        return f"Running {100 * (1 - frame.hash_ratio[row]):.0f} % below its expected hash rate."
    if op_state in _OP_STATES:
        return _OP_STATES[op_state]
    return f"{frame.boards_hashing[row]:.0f} of {frame.boards_expected[row]:.0f} boards hash."


def _silent(frame: FleetFrame, row: int) -> str:
    why = _REACH[Reach(frame.reach[row])]
    if frame.observed_at_ms[row] == NEVER_MS:
        return f"Never read: {why}."
    minutes, seconds = divmod((frame.at_ms - int(frame.observed_at_ms[row])) // 1000, 60)
    return f"Silent for {minutes} min {seconds} s: {why}."
