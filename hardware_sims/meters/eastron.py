"""Eastron SDM630: function 4, 32-bit floats, high word first, watts and kilowatt hours."""

from hardware_sims.grid import MeterSample
from hardware_sims.meters.registers import RegisterImage
from hardware_sims.scale import WH_PER_KWH

FUNCTIONS = (4,)
_SPANS = (range(0x180),)


def image(sample: MeterSample, _serial: int) -> RegisterImage:
    registers = RegisterImage(_SPANS)
    registers.f32(0x0000, *sample.voltage_v)
    registers.f32(0x0006, *sample.current_a)
    registers.f32(0x000C, *sample.power_w)
    registers.f32(0x0012, *sample.apparent_va)
    registers.f32(0x0018, *sample.reactive_var)
    registers.f32(0x001E, *sample.power_factor)
    registers.f32(0x0034, sample.total_w)
    registers.f32(0x0038, sample.total_va)
    registers.f32(0x003C, sample.total_var)
    registers.f32(0x003E, sample.total_power_factor)
    registers.f32(0x0046, sample.frequency_hz)
    registers.f32(0x0048, sample.import_wh / WH_PER_KWH, sample.export_wh / WH_PER_KWH)
    registers.f32(0x0156, (sample.import_wh + sample.export_wh) / WH_PER_KWH)
    registers.f32(0x015A, *(energy_wh / WH_PER_KWH for energy_wh in sample.phase_import_wh))
    return registers
