"""ABB B23: function 3, scaled integers, all bits set where there is no value."""

from hardware_sims.grid import MeterSample
from hardware_sims.meters.registers import RegisterImage
from hardware_sims.scale import WH_PER_KWH

FUNCTIONS = (3,)
_ENERGY = 0x5000
_INSTANT = 0x5B00
_SERIAL = 0x8900
_SPANS = (range(_ENERGY, _ENERGY + 0x20), range(_INSTANT, _INSTANT + 0x44), range(_SERIAL, _SERIAL + 2))


def image(sample: MeterSample, serial: int) -> RegisterImage:
    registers = RegisterImage(_SPANS, fill=0xFFFF)
    registers.integers(
        _ENERGY, "Q", [energy_wh / WH_PER_KWH * 100 for energy_wh in (sample.import_wh, sample.export_wh)]
    )
    registers.integers(_INSTANT, "I", [voltage_v * 10 for voltage_v in sample.voltage_v])
    registers.integers(0x5B0C, "I", [current_a * 100 for current_a in sample.current_a])
    registers.integers(0x5B14, "i", [power_w * 100 for power_w in (sample.total_w, *sample.power_w)])
    registers.integers(0x5B2C, "H", [sample.frequency_hz * 100])
    factors = (sample.total_power_factor, *sample.power_factor)
    registers.integers(0x5B3A, "h", [power_factor * 1_000 for power_factor in factors])
    registers.integers(_SERIAL, "I", [serial])
    return registers
