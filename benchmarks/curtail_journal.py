"""What the controller's journal says of dispatch's orders: which decision gave them, and what became of each."""

from collections.abc import Iterable

import msgspec

from controller.commands.event import CommandRequested, OutcomesRecorded, codec
from controller.journal import RecordedEvent
from shared.states import TERMINAL, OutcomeState

_DISPATCH = "dispatch"


class Ordered(msgspec.Struct):
    """One order. `steps` are the times of its outcomes, by the clock of the agent; `end` is "open" until it has one."""

    device_id: str
    verb: str
    asked_at_ms: int
    steps: dict[str, int]
    end: str = "open"


def decisions(events: Iterable[RecordedEvent], from_ms: int) -> list[list[Ordered]]:
    """The orders that dispatch has given since, decision by decision, in their order."""
    found: dict[str, list[Ordered]] = {}
    orders: dict[tuple[str, str, str], Ordered] = {}
    for event in events:
        fact = codec.decode(event)
        if isinstance(fact, CommandRequested) and event.actor == _DISPATCH and event.at_ms >= from_ms:
            for line in fact.orders:
                order = Ordered(line.device_id, line.action.verb, event.at_ms, {})
                orders[fact.command_id, order.device_id, order.verb] = order
                found.setdefault(fact.reason, []).append(order)
        elif isinstance(fact, OutcomesRecorded):
            for row in fact.rows:
                known = orders.get((fact.command_id, row.device_id, row.verb))
                if known is not None:
                    known.steps.setdefault(row.state, row.at_ms)
                    known.end = row.state if row.state in TERMINAL else known.end
    return list(found.values())


def false_confirmed(given: Iterable[Ordered], asleep: set[str]) -> list[str]:
    """Miners whose last order was confirmed and is not what the machine does. One under a later order that is still
    open may do either.
    """
    wanted: dict[str, bool] = {}
    for order in given:
        if order.verb in ("sleep", "wake"):
            wanted.pop(order.device_id, None)
            if OutcomeState.CONFIRMED in order.steps:
                wanted[order.device_id] = order.verb == "sleep"
    return [device_id for device_id, sleeps in wanted.items() if sleeps != (device_id in asleep)]
