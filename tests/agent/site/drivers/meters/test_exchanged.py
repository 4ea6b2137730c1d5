"""A meter that was exchanged, and counters that go back."""

import pytest

from agent.site.devices.reading import quality_of
from agent.site.drivers import nameplate as nameplate_module
from agent.site.drivers.counter import Counters
from agent.site.drivers.measured import Measured
from agent.site.drivers.meters.modbus import ModbusMeter
from agent.site.drivers.nameplate import Nameplate
from shared.errors import IdentityChanged, IncompleteRead
from shared.profiles import Point, load
from shared.quality import Quality
from shared.states import DeviceKind

from .conftest import registers_of

SUNSPEC = load(DeviceKind.METER, "sunspec.model-203")


def meter_of(expected: Nameplate | None = None):
    vector = next(vector for vector in SUNSPEC.vectors if "identity.serial" in vector.expect)
    registers = registers_of(SUNSPEC, vector)
    return ModbusMeter(registers, 1, SUNSPEC, expected=expected), registers, str(vector.expect["identity.serial"])


async def test_another_serial_number_is_another_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nameplate_module, "LOOK_EVERY_S", 0.0)
    _, _, serial = meter_of()
    meter, _, _ = meter_of(Nameplate("m-1", serial="another"))
    with pytest.raises(IdentityChanged, match=f"serial number {serial} instead of another"):
        await meter.read()
    same, registers, _ = meter_of(Nameplate("m-1", serial=serial))
    await same.read()
    registers.words = dict.fromkeys(registers.words, 0)
    with pytest.raises(IncompleteRead):
        await same.read()


async def test_without_a_serial_number_nothing_is_compared() -> None:
    plate = Nameplate("m-1")
    plate.meet("", "")
    assert not plate.known
    assert not plate.due


def energy(**fields: object) -> Counters:
    point = Point(name="energy.import", unit="Wh", type="u32", table="input", address=0, monotonic=True, **fields)
    return Counters([point])


def told(value: float, quality: Quality = Quality.GOOD) -> dict[str, Measured]:
    return {"energy.import": Measured(value, quality)}


def test_a_counter_that_goes_back_is_doubted_once() -> None:
    counters = energy()
    assert [bool(counters.check(told(value))) for value in (10.0, 12.0, 3.0, 4.0)] == [False, False, True, False]


def test_what_is_not_usable_moves_nothing() -> None:
    counters = energy()
    found = [counters.check(item) for item in (told(10.0), told(1.0, Quality.IMPLAUSIBLE), {}, told(11.0))]
    assert not any(found)


def test_one_that_ran_over_is_believed_and_one_that_was_far_from_it_is_not() -> None:
    end = 2.0**32 * 10
    over, reset = energy(rollover_bits=32, scale=10.0), energy(rollover_bits=32, scale=10.0)
    assert not over.check(told(0.99 * end))
    assert not over.check(told(50.0))
    assert not reset.check(told(0.5 * end))
    assert "went back" in reset.check(told(50.0))["energy.import"]


async def test_a_reset_shows_in_the_reading() -> None:
    eastron = load(DeviceKind.METER, "eastron.sdm630")
    vector = next(vector for vector in eastron.vectors if "energy.import" in vector.expect)
    meter = ModbusMeter(registers_of(eastron, vector), 1, eastron, generation=True)
    first = await meter.read()
    assert first.energy_import_wh
    meter._counters._last["energy.import"] = first.energy_import_wh + 1e6
    again = await meter.read()
    assert quality_of(again, "energy_import_wh") is Quality.IMPLAUSIBLE
    assert any("energy.import went back" in fault for fault in again.faults)
