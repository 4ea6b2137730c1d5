"""How fast a curtailment could be if nothing but physics stood in its way."""

from collections.abc import Sequence
from pathlib import Path

from hardware_sims.simulation import STEP_S, Simulation, SimulationOptions
from shared.site import load_site

LONGEST_S = 600.0


def physical_minimum_s(site_file: Path, ordered: Sequence[str], power_share: float, after_s: float) -> float | None:
    """Seconds until the site draws less than `power_share` of its power at `after_s`, when all of `ordered` are told
    to sleep in that instant; None where they are too few. The same seed as the simulators', so the same machines.
    """
    simulation = Simulation(load_site(site_file), SimulationOptions())
    while simulation.now_s < after_s:
        simulation.step(STEP_S)
    target_w = _site_w(simulation) * power_share
    began_s = simulation.now_s
    for device_id in ordered:
        simulation.machine(device_id).sleep()
    while simulation.now_s - began_s < LONGEST_S:
        simulation.step(STEP_S)
        if _site_w(simulation) <= target_w:
            return simulation.now_s - began_s
    return None


def _site_w(simulation: Simulation) -> float:
    root = next(row for row, feeder in enumerate(simulation.tree.feeders) if feeder.parent is None)
    return float(simulation.tree.power_w[root].sum())
