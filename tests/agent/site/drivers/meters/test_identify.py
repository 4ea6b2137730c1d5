"""The same name on the front, another map behind it: refuse, never guess."""

import pytest

from agent.site.drivers.meters.modbus import ModbusMeter
from shared.errors import DeviceTimeout, IdentityChanged
from shared.profiles import load, rivals
from shared.states import DeviceKind

from .conftest import FakeRegisters, registers_of

E1 = load(DeviceKind.METER, "carlo-gavazzi.em24-e1")
RS485 = load(DeviceKind.METER, "carlo-gavazzi.em24-rs485")


def test_profiles_of_one_model_name_are_rivals() -> None:
    assert rivals(E1) == (RS485,)
    assert [rival.id for rival in rivals(load(DeviceKind.METER, "schneider.iem3000"))] == ["schneider.iem3000-shifted"]
    assert rivals(load(DeviceKind.METER, "eastron.sdm630")) == ()


async def test_the_other_variant_is_refused_by_name() -> None:
    device = registers_of(RS485, RS485.vectors[0])
    with pytest.raises(IdentityChanged, match=r"carlo-gavazzi\.em24-rs485 would fit"):
        await ModbusMeter(device, 1, E1, rivals(E1)).identify()


async def test_a_shifted_device_is_told_apart() -> None:
    profile = load(DeviceKind.METER, "schneider.iem3000")
    other = rivals(profile)[0]
    device = registers_of(other, other.vectors[0])
    with pytest.raises(IdentityChanged, match="iem3000-shifted would fit"):
        await ModbusMeter(device, 1, profile, rivals(profile)).identify()


async def test_two_maps_that_fit_are_refused() -> None:
    device = registers_of(E1, E1.vectors[0])
    device.words[0x37] = 500  # would be 50.0 Hz on the RS-485 variant
    with pytest.raises(IdentityChanged, match="refused"):
        await ModbusMeter(device, 1, E1, rivals(E1)).identify()


async def test_registers_that_do_not_exist_rule_a_profile_out() -> None:
    device = FakeRegisters({}, strict=True)
    with pytest.raises(IdentityChanged, match="no such registers"):
        await ModbusMeter(device, 1, E1).identify()


async def test_a_dead_meter_identifies_as_nothing() -> None:
    with pytest.raises(IdentityChanged, match=r"voltage\.l1 is 0"):
        await ModbusMeter(FakeRegisters({}), 1, E1).identify()


async def test_silence_is_not_an_identity() -> None:
    class Silent(FakeRegisters):
        async def read(self, *_: object, **__: object) -> tuple[int, ...]:
            raise DeviceTimeout("no answer")

    with pytest.raises(DeviceTimeout):
        await ModbusMeter(Silent({}), 1, E1, rivals(E1)).identify()


async def test_closing_a_meter_lets_go_of_its_transport() -> None:
    device = FakeRegisters({})
    await ModbusMeter(device, 1, E1).aclose()
    assert device.closed
