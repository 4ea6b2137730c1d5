"""A change of mode as the orders that bring it about."""

from controller.mining.dispatch.ports import OrderLine
from controller.mining.fleet.ladder import Idle
from controller.mining.fleet.snapshot import SiteSnapshot
from shared.actions import SetPowerLimit, Sleep, SwitchOutlet, Wake
from shared.states import OpState

IDLE_MODE = 0


def order_lines(snapshot: SiteSnapshot, row: int, mode: int) -> tuple[OrderLine, ...]:
    """The orders that take one miner of the roster into a mode of its ladder.

    The limit is set before the miner wakes, so that it never runs on an older, higher one.
    """
    roster = snapshot.roster
    device, ladders = roster.device_id[row], roster.ladders
    idle, state = Idle(int(ladders.idle[row])), int(snapshot.op_state[row])
    if idle is not Idle.NONE and mode == IDLE_MODE:
        return ((device, Sleep(), state),) if idle is Idle.SLEEP else (_switch(snapshot, row, on=False),)
    lines: list[OrderLine] = []
    wakes = idle is Idle.SLEEP and state == OpState.SLEEPING
    if ladders.limits[row]:
        lines.append((device, SetPowerLimit(limit_w=int(ladders.power_w[mode, row])), state))
    if wakes:
        lines.append((device, Wake(), state))
    if idle is Idle.OUTLET and bool(snapshot.outlet.off[row]):
        lines.append(_switch(snapshot, row, on=True))
    return tuple(lines)


def _switch(snapshot: SiteSnapshot, row: int, *, on: bool) -> OrderLine:
    pdu, outlet = snapshot.roster.outlets[int(snapshot.roster.outlet[row])]
    return pdu, SwitchOutlet(outlet=outlet, on=on), None
