"""A meter as a Modbus unit: its type's register map over what it measures now."""

from collections.abc import Callable
from dataclasses import dataclass

from hardware_sims.faults import FaultState
from hardware_sims.grid import MeterSample
from hardware_sims.meters import abb, eastron, schneider
from hardware_sims.meters.registers import ILLEGAL_FUNCTION, ModbusRefusal, RegisterImage


@dataclass(frozen=True, slots=True)
class MeterType:
    """`class_pct` is the accuracy class of active power."""

    functions: tuple[int, ...]
    image: Callable[[MeterSample, int], RegisterImage]
    class_pct: float


METER_TYPES = {
    "eastron.sdm630": MeterType(eastron.FUNCTIONS, eastron.image, 1.0),
    "schneider.iem3000": MeterType(schneider.FUNCTIONS, schneider.image, 0.5),
    "abb.b23": MeterType(abb.FUNCTIONS, abb.image, 1.0),
}


class SimulatedMeter:
    """`sample` is asked at every read."""

    def __init__(self, kind: MeterType, serial: int, sample: Callable[[], MeterSample], faults: FaultState) -> None:
        self._kind = kind
        self._serial = serial
        self._sample = sample
        self.faults = faults

    def read(self, function: int, address: int, count: int) -> bytes:
        """Registers as bytes. ModbusRefusal for a function or address that this type does not have."""
        if function not in self._kind.functions:
            raise ModbusRefusal(ILLEGAL_FUNCTION)
        return self._kind.image(self._sample(), self._serial).read(address, count)
