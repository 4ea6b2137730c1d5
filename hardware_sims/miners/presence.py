"""Whether a machine's control board is there to answer, and orders that end when it goes down."""

from collections.abc import Callable, Iterable

from hardware_sims.miners.machine import Machine, MachineState

_DOWN = frozenset({MachineState.OFF, MachineState.BOOTING})


def answers(machine: Machine) -> bool:
    return machine.state not in _DOWN


def carry_out(machine: Machine, orders: Iterable[Callable[[], None]]) -> None:
    """Give the orders of one request one after another; a machine that goes down at one never gets the rest."""
    for order in orders:
        if not answers(machine):
            return
        order()
