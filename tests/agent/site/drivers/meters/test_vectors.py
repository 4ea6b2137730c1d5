"""Every vector of every meter profile goes through the driver as a device would send it."""

import pytest

from agent.site.devices.reading import quality_of, usable
from agent.site.drivers.meters.modbus import FIELDS, ModbusMeter
from agent.site.drivers.meters.registers import Decoder
from shared.profiles import INVALID, Profile, load, rivals
from shared.quality import Quality
from shared.states import DeviceKind

from .conftest import METERS, registers_of


async def test_every_vector_reads_as_the_profile_says(profile: Profile) -> None:
    for number, vector in enumerate(profile.vectors, start=1):
        registers = registers_of(profile, vector)
        reading = await ModbusMeter(registers, 1, profile, generation=True).read()
        for name, expected in vector.expect.items():
            if name not in FIELDS:
                continue
            place = f"vector {number}, {name}"
            if expected == INVALID:
                assert usable(reading, FIELDS[name]) is None, place
            else:
                assert getattr(reading, FIELDS[name]) == expected, place
                assert quality_of(reading, FIELDS[name]) is Quality.GOOD, place


@pytest.mark.parametrize("profile", [p for p in METERS if not FIELDS.keys() >= p.by_name.keys()], ids=lambda p: p.id)
async def test_points_without_a_field_read_as_their_vectors_say(profile: Profile) -> None:
    decoder = Decoder(profile, [point for point in profile.points if point.name not in FIELDS])
    for vector in profile.vectors:
        words = registers_of(profile, vector).words
        blocks = [[words.get(block.address + i, 0) for i in range(block.count)] for block in decoder.blocks]
        measured = decoder.decode(blocks)
        for name, expected in vector.expect.items():
            if name in measured:
                assert measured[name].value == (None if expected == INVALID else expected), name


async def test_the_first_vector_is_a_sound_meter_that_identifies_itself(profile: Profile) -> None:
    registers = registers_of(profile, profile.vectors[0])
    meter = ModbusMeter(registers, 7, profile, rivals(profile))
    identity = await meter.identify()
    assert identity.kind == "meter"
    assert identity.vendor
    assert identity.model
    reading = await meter.read()
    assert reading.faults == ()
    assert usable(reading, "power_w") is not None
    assert {unit for unit, _, _ in registers.asked} == {7}


async def test_a_poll_asks_for_no_more_than_the_device_allows(profile: Profile) -> None:
    settings = profile.transport.modbus
    assert settings is not None
    registers = registers_of(profile, profile.vectors[0])
    await ModbusMeter(registers, 1, profile, generation=True).read()
    assert all(span.count <= settings.max_read_registers for _, span, _ in registers.asked)


async def test_nameplate_comes_from_the_device_where_it_has_one() -> None:
    profile = load(DeviceKind.METER, "sunspec.model-203")
    meter = ModbusMeter(registers_of(profile, profile.vectors[0]), 1, profile)
    identity = await meter.identify()
    assert (identity.vendor, identity.model, identity.firmware, identity.serial) == (
        "Example",
        "EM-203",
        "1.4.2",
        "0012345",
    )
