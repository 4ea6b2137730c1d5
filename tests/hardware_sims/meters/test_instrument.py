"""Each type's map, read back with struct from the addresses that the published sources name."""

import struct

import pytest

from hardware_sims.faults import FaultState
from hardware_sims.grid import MeterSample
from hardware_sims.meters import METER_TYPES, SimulatedMeter
from hardware_sims.meters.registers import ModbusRefusal

SAMPLE = MeterSample(
    voltage_v=(239.5, 240.25, 241.0),
    current_a=(101.5, 102.25, 103.0),
    power_w=(24_000.5, 24_100.25, -24_200.0),
    reactive_var=(3_400.0, 3_500.0, 3_600.0),
    frequency_hz=59.98,
    import_wh=1_234_567_890.0,
    export_wh=4_321.0,
    phase_import_wh=(411_522_630.0, 411_522_631.0, 411_522_632.0),
)


def read(profile: str, function: int, address: int, kind: str) -> tuple[float, ...]:
    meter = SimulatedMeter(METER_TYPES[profile], 7_001, lambda: SAMPLE, FaultState())
    return struct.unpack(f">{kind}", meter.read(function, address, struct.calcsize(f">{kind}") // 2))


def test_sdm630():
    assert read("eastron.sdm630", 4, 0x0000, "3f") == pytest.approx(SAMPLE.voltage_v)
    assert read("eastron.sdm630", 4, 0x0006, "3f") == pytest.approx(SAMPLE.current_a)
    assert read("eastron.sdm630", 4, 0x000C, "3f") == pytest.approx(SAMPLE.power_w)
    assert read("eastron.sdm630", 4, 0x0034, "f") == pytest.approx((SAMPLE.total_w,))
    assert read("eastron.sdm630", 4, 0x0046, "3f") == pytest.approx((59.98, 1_234_567.89, 4.321))
    assert read("eastron.sdm630", 4, 0x0156, "f") == pytest.approx((1_234_572.211,))
    assert read("eastron.sdm630", 4, 0x015A, "3f") == pytest.approx((411_522.630, 411_522.631, 411_522.632))


def test_iem3000_speaks_kilowatts_and_watt_hours():
    assert read("schneider.iem3000", 3, 0x0BB7, "3f") == pytest.approx(SAMPLE.current_a)
    assert read("schneider.iem3000", 3, 0x0BD3, "3f") == pytest.approx(SAMPLE.voltage_v)
    assert read("schneider.iem3000", 3, 0x0BED, "4f") == pytest.approx((24.0005, 24.10025, -24.2, 23.90075))
    assert read("schneider.iem3000", 3, 0x0C25, "f") == pytest.approx((59.98,))
    assert read("schneider.iem3000", 3, 0x0C83, "2q") == (1_234_567_890, 4_321)
    assert read("schneider.iem3000", 3, 0x0DBD, "3q") == SAMPLE.phase_import_wh


def test_b23_scales_integers():
    assert read("abb.b23", 3, 0x5B00, "3I") == (2395, 2402, 2410)
    assert read("abb.b23", 3, 0x5B0C, "3I") == (10_150, 10_225, 10_300)
    assert read("abb.b23", 3, 0x5B14, "4i") == (2_390_075, 2_400_050, 2_410_025, -2_420_000)
    assert read("abb.b23", 3, 0x5B2C, "H") == (5_998,)
    assert read("abb.b23", 3, 0x5B3A, "4h")[3] == -989
    assert read("abb.b23", 3, 0x5000, "2Q") == (123_456_789, 432)
    assert read("abb.b23", 3, 0x5B06, "I") == (0xFFFF_FFFF,)


@pytest.mark.parametrize(("profile", "function"), [("eastron.sdm630", 3), ("schneider.iem3000", 4), ("abb.b23", 4)])
def test_the_other_read_function_is_refused(profile, function):
    with pytest.raises(ModbusRefusal) as refusal:
        read(profile, function, 0x5B00, "H")
    assert refusal.value.code == 1
