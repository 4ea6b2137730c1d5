"""A change of mode as the orders that bring it about, in batches that the power door takes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from controller.mining.dispatch.ports import OrderLine
from controller.mining.fleet.ladder import Idle
from controller.mining.fleet.snapshot import SiteSnapshot
from shared.actions import SetPowerLimit, Sleep, SwitchOutlet, Wake
from shared.states import OpState

IDLE_MODE = 0
MOST_LINES = 10_000
_SAME_LIMIT_W = 1.0


@dataclass(frozen=True)
class Batch:
    """What is issued together: of each miner the mode that it is brought into and the orders for it."""

    steps: tuple[tuple[tuple[str, int], tuple[OrderLine, ...]], ...]

    @property
    def changes(self) -> tuple[tuple[str, int], ...]:
        return tuple(change for change, _ in self.steps)

    @property
    def lines(self) -> tuple[OrderLine, ...]:
        return tuple(line for _, lines in self.steps for line in lines)

    def without(self, devices: frozenset[str]) -> "Batch":
        return Batch(tuple(step for step in self.steps if step[0][0] not in devices)) if devices else self


def batches(snapshot: SiteSnapshot, changes: Iterable[tuple[int, int]]) -> tuple[Batch, ...]:
    """Batches for changes (row of the roster, mode), in their order.

    Outlets go into batches of their own, each PDU at most once in each: one order of a verb for one device a command,
    and whoever may not switch outlets still limits miners.
    """
    groups: dict[tuple[bool, int], list[tuple[tuple[str, int], tuple[OrderLine, ...]]]] = {}
    switched: Counter[str] = Counter()
    plain = 0
    limits_w = snapshot.value("power_limit_w")
    for row, mode in changes:
        lines = order_lines(snapshot, row, mode, float(limits_w[row]))
        pdus = [device for device, action, _ in lines if isinstance(action, SwitchOutlet)]
        number = switched[pdus[0]] if pdus else plain // MOST_LINES
        switched.update(pdus)
        plain += 0 if pdus else len(lines)
        groups.setdefault((bool(pdus), number), []).append(((snapshot.roster.device_id[row], mode), lines))
    return tuple(Batch(tuple(group)) for _, group in sorted(groups.items()))


def order_lines(snapshot: SiteSnapshot, row: int, mode: int, limit_now_w: float) -> tuple[OrderLine, ...]:
    """The orders that take one miner of the roster into a mode of its ladder. `limit_now_w` is NaN where unknown.

    The limit is set before the miner wakes, so that it never runs on an older, higher one; one that is set already is
    left out.
    """
    roster = snapshot.roster
    device, ladders = roster.device_id[row], roster.ladders
    idle, state = Idle(int(ladders.idle[row])), int(snapshot.op_state[row])
    if idle is not Idle.NONE and mode == IDLE_MODE:
        return ((device, Sleep(), state),) if idle is Idle.SLEEP else (_switch(snapshot, row, on=False),)
    if idle is Idle.OUTLET and bool(snapshot.outlet.off[row]):
        return (_switch(snapshot, row, on=True),)
    lines: list[OrderLine] = []
    limit_w = int(ladders.power_w[mode, row])
    if ladders.limits[row] and not abs(limit_now_w - limit_w) < _SAME_LIMIT_W:  # also where NaN
        lines.append((device, SetPowerLimit(limit_w=limit_w), state))
    if idle is Idle.SLEEP and state == OpState.SLEEPING:
        lines.append((device, Wake(), state))
    return tuple(lines)


def _switch(snapshot: SiteSnapshot, row: int, *, on: bool) -> OrderLine:
    pdu, outlet = snapshot.roster.outlets[int(snapshot.roster.outlet[row])]
    return pdu, SwitchOutlet(outlet=outlet, on=on), None
