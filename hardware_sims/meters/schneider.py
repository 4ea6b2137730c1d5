"""Schneider iEM3000: function 3, floats in **kilowatts**, energy as 64-bit watt hours."""

from hardware_sims.grid import MeterSample
from hardware_sims.meters.registers import RegisterImage
from hardware_sims.scale import W_PER_KW

FUNCTIONS = (3,)
_MODEL_NAME = 0x001D
_SERIAL = 0x0081
_SPANS = (range(_MODEL_NAME, _SERIAL + 2), range(0x0BB7, 0x0DCD))


def image(sample: MeterSample, serial: int) -> RegisterImage:
    """The manual's register numbers minus one, as most units want them."""
    registers = RegisterImage(_SPANS)
    registers.text(_MODEL_NAME, "iEM3155", 20)
    registers.integers(_SERIAL, "I", [serial])
    registers.f32(0x0BB7, *sample.current_a)
    registers.f32(0x0BD3, *sample.voltage_v)
    registers.f32(0x0BED, *(power_w / W_PER_KW for power_w in sample.power_w))
    registers.f32(0x0BF3, sample.total_w / W_PER_KW)
    registers.f32(0x0C25, sample.frequency_hz)
    registers.integers(0x0C83, "q", [sample.import_wh, sample.export_wh])
    registers.integers(0x0DBD, "q", sample.phase_import_wh)
    return registers
