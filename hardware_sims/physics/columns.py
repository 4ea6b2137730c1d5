"""Every miner of the fleet as one row in many arrays. n miners, b board places, f fan places, 4 corners of a board."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = np.inf
CORNERS = 4


@dataclass(slots=True)
class Columns:
    """Times are seconds of the simulated clock; `*_until` and `*_dies_at` are NEVER where nothing is due."""

    # What the machine is, fixed by model and seed.
    boards: Flags  # n×b, place holds a board
    fans: Flags  # n×f
    hash_factor: Floats  # this unit against its model
    power_factor: Floats
    board_share: Floats  # n×b, sums to 1 over the places that hold a board
    corner_c: Floats  # n×b×4, spread of the sensors around the board's node
    nameplate_ths: Floats
    nominal_board_w: Floats
    nominal_conductance: Floats  # W/K of one board at reference fan speed
    fan_w: Floats  # one fan at full speed
    fan_max_rpm: Floats
    psu_efficiency: Floats
    standby_w: Floats
    overhead_w: Floats  # fans at reference speed and control board: wall minus what the PSU gives the boards
    start_s: Floats
    ramp_s: Floats
    ramp_steps: Floats
    board_trip_c: Floats
    inlet_trip_c: Floats
    air_offset_c: Floats  # place in the rack against the container's mean

    # What was ordered and is stored in the machine.
    contact: Flags  # its outlet is closed
    mains: Flags  # the feeder before the outlet has voltage
    asleep_by_order: Flags
    target_w: Floats  # wall watts on the model's ladder for the mode and limit in force

    # What it does.
    state: Ints  # index in `phase.STATES`
    state_until: Floats
    booted_at: Floats
    process_at: Floats
    process_work_th: Floats  # `work_th` when the mining process started
    level_w: Floats  # wall watts on the ladder at the present step of the ramp
    level_ths: Floats
    noise: Floats
    inlet_c: Floats
    environment_c: Floats
    board_temp_c: Floats  # n×b
    board_w: Floats  # n×b, what the PSU gives it
    board_ths: Floats  # n×b
    chips_good: Ints  # n×b
    board_dies_at: Floats  # n×b
    fan_dies_at: Floats  # n×f
    fan_speed: Floats  # fraction of full speed, of fans that turn
    fan_integral: Floats
    power_w: Floats  # at the wall
    energy_wh: Floats  # at the wall, since the simulation began
    work_th: Floats  # all hashes so far, in 10^12
    accepted: Ints
    rejected: Ints
    stale: Ints
    hardware_errors: Ints  # n×b

    def __len__(self) -> int:
        return len(self.state)

    @property
    def powered(self) -> Flags:
        return self.contact & self.mains

    def row(self, index: int) -> "Columns":
        """A copy of one row as a fleet of one: what a frozen machine goes on telling."""
        return Columns(**{field.name: getattr(self, field.name)[index : index + 1].copy() for field in fields(self)})
