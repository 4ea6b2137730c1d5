"""A hashboard of one machine, read from the fleet's columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hardware_sims.model import family_of
from hardware_sims.physics.columns import Columns, Floats
from hardware_sims.physics.history import WorkHistory
from hardware_sims.physics.thermal import CHIP_RISE_K

if TYPE_CHECKING:
    from hardware_sims.physics.machine import SimulatedMachine


@dataclass(frozen=True, slots=True)
class Sight:
    """Where readings come from: the live fleet, or the copy of one row at the moment it froze."""

    columns: Columns
    history: WorkHistory
    row: int
    now_s: float | None


class SimulatedBoard:
    """A hashboard place of a machine."""

    def __init__(self, machine: "SimulatedMachine", slot: int) -> None:
        self._machine = machine
        self.slot = slot
        self.serial = f"{machine.serial}B{slot}"
        self.chips = machine.kind.chips

    @property
    def alive(self) -> bool:
        sight = self._machine.sight
        return bool(self._machine.now_s < sight.columns.board_dies_at[sight.row, self.slot])

    @property
    def chips_good(self) -> int:
        return int(self._of("chips_good")) if self.alive else 0

    @property
    def hashrate_ths(self) -> float:
        return float(self._of("board_ths")) * self._machine.faults.unit_factor

    @property
    def hashrate_expected_ths(self) -> float:
        return self._machine.hashrate_expected_ths / self._machine.kind.boards

    @property
    def frequency_mhz(self) -> float:
        return self._machine.kind.frequency_mhz * self._machine.speed if self.alive else 0.0

    @property
    def voltage_v(self) -> float:
        """Of the rail that feeds the chips; off while nothing hashes."""
        speed = self._machine.speed
        return family_of(self._machine.kind).voltage_v * (0.9 + 0.1 * speed) if speed > 0 and self.alive else 0.0

    @property
    def hardware_errors(self) -> int:
        return int(self._of("hardware_errors"))

    @property
    def pcb_temps_c(self) -> Sequence[float]:
        return self._temps(0.0)

    @property
    def chip_temps_c(self) -> Sequence[float]:
        return self._temps(CHIP_RISE_K)

    def _temps(self, rise_k: float) -> list[float]:
        """The spread over the corners and the rise to the chip vanish with the power."""
        sight = self._machine.sight
        load = self._of("board_w") / sight.columns.nominal_board_w[sight.row]
        corners: Floats = self._of("board_temp_c") + load * (rise_k + sight.columns.corner_c[sight.row, self.slot])
        return [float(value) for value in corners]

    def _of(self, column: str) -> np.float64:
        sight = self._machine.sight
        value: np.float64 = getattr(sight.columns, column)[sight.row, self.slot]
        return value
