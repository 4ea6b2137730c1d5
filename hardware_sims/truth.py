"""What really is, for tests and demonstrations: no sensor, no protocol and no fault stands in between."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from hardware_sims.miners.machine import MachineState
from hardware_sims.physics import SimulatedMachine, phase
from hardware_sims.site import SimulatedSite

_STATE_NAMES = np.array([state.value for state in MachineState])


def truth(site: SimulatedSite) -> dict[str, Any]:
    """Columns over all miners in the order of `id`; orders executed and ignored only where there are any."""
    simulation, columns = site.simulation, site.simulation.fleet.columns
    return {
        "time_s": simulation.now_s,
        "unix_s": simulation.fleet.start_unix_s + simulation.now_s,
        "factor": site.clock.factor,
        "power_w": float(columns.power_w.sum()),
        "hashrate_ths": float(columns.board_ths.sum()),
        "outside_c": simulation.fleet.ambient.outside_c(simulation.now_s),
        "containers": dict(zip(simulation.containers, simulation.fleet.ambient.inlet_c.tolist(), strict=True)),
        "feeders": _feeders(site),
        "miners": _miners(site),
        "executed": _orders(site, lambda machine: machine.executed),
        "ignored": _orders(site, lambda machine: machine.ignored),
        "switched": {
            name: {str(outlet + 1): count for outlet, count in bank.switched.items()}
            for name, bank in simulation.banks.items()
            if bank.switched
        },
        "faults": {name: faults.names() for name, faults in simulation.faults.items() if faults.names()},
    }


def _miners(site: SimulatedSite) -> dict[str, list[Any]]:
    simulation, columns = site.simulation, site.simulation.fleet.columns
    return {
        "id": simulation.miner_ids,
        "state": _STATE_NAMES[columns.state].tolist(),
        "power_w": columns.power_w.round(3).tolist(),
        "energy_wh": columns.energy_wh.round(3).tolist(),
        "hashrate_ths": columns.board_ths.sum(axis=1).round(4).tolist(),
        "sleeping": (columns.state == phase.SLEEPING).tolist(),
        "asleep_by_order": columns.asleep_by_order.tolist(),
        "powered": columns.powered.tolist(),
        "inlet_c": columns.inlet_c.round(2).tolist(),
        "board_temp_c": columns.board_temp_c.max(axis=1).round(2).tolist(),
    }


def _orders(site: SimulatedSite, counted: Callable[[SimulatedMachine], Counter[str]]) -> dict[str, dict[str, int]]:
    machines = zip(site.simulation.miner_ids, site.simulation.machines, strict=True)
    return {name: dict(counted(machine)) for name, machine in machines if counted(machine)}


def _feeders(site: SimulatedSite) -> dict[str, dict[str, float]]:
    tree = site.simulation.tree
    power_w, energy_wh = tree.power_w.sum(axis=1), tree.energy_wh
    return {
        feeder.id: {"power_w": round(float(power_w[row]), 3), "energy_wh": round(float(energy_wh[row]), 3)}
        for row, feeder in enumerate(tree.feeders)
    }


def device(site: SimulatedSite, device_id: str) -> dict[str, Any]:
    """One device: where it is, its faults, of a miner its configuration, of a meter what it shows and should show."""
    simulation = site.simulation
    found: dict[str, Any] = {
        "id": device_id,
        "address": site.hosts[device_id].address,
        "faults": simulation.faults[device_id].names(),
    }
    if device_id in simulation.miner_ids:
        machine = simulation.machine(device_id)
        found |= {
            "model": machine.model,
            "mac": machine.mac,
            "state": machine.state.value,
            "power_w": machine.drawn_w,
            "power_mode": machine.power_mode,
            "power_limit_w": machine.power_limit_w,
            "pools": [{"url": pool.url, "user": pool.user} for pool in machine.pools],
            "executed": dict(machine.executed),
            "log": machine.log,
            "ignored": dict(machine.ignored),
        }
    meters = [meter.id for meter in simulation.site.meter]
    if device_id in meters:
        feeder = next(feeder.id for feeder in simulation.site.feeder if feeder.meter == device_id)
        shown = simulation.metering.sample(meters.index(device_id))
        found |= {"shown_w": shown.total_w, "true_w": simulation.tree.total_w(feeder)}
    return found
