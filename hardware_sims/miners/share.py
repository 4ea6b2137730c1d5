"""Share counters as cgminer's percentages."""

from hardware_sims.miners.machine import Machine


def percent_of_shares(count: int, machine: Machine) -> float:
    """`count` in percent of all shares sent, four decimals."""
    sent = machine.accepted_shares + machine.rejected_shares + machine.stale_shares
    return round(100 * count / sent, 4) if sent else 0.0
