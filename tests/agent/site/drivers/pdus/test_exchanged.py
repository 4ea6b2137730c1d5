"""Another PDU at the address feeds another rack: nothing is switched there, and nothing is read for the old one."""

import pytest

from agent.site.devices.ports import Effect
from agent.site.drivers import nameplate as nameplate_module
from agent.site.drivers.nameplate import Nameplate
from agent.site.drivers.pdus import OutletPdu, driver
from agent.site.drivers.pdus.dialect import outlet_reading
from agent.site.drivers.pdus.document import decode
from shared.actions import SwitchOutlet
from shared.errors import IdentityChanged, IncompleteRead
from shared.profiles import load
from shared.quality import Quality
from shared.states import DeviceKind

from .devices import ShellyDevice, Wire, XerusDevice

OFF = SwitchOutlet(outlet=2, on=False)


@pytest.fixture(params=["raritan.xerus", "shelly.gen2"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(XerusDevice() if request.param == "raritan.xerus" else ShellyDevice())


def pdu_at(wire: Wire, expected: Nameplate | None = None) -> OutletPdu:
    profile = "raritan.xerus" if isinstance(wire.device, XerusDevice) else "shelly.gen2"
    return driver(wire, load(DeviceKind.PDU, profile), expected)


async def test_another_pdu_at_the_address_is_not_switched(wire: Wire) -> None:
    pdu = pdu_at(wire)
    await pdu.identify()
    wire.device.mac = "00:0D:5D:FF:FF:FF"
    with pytest.raises(IdentityChanged, match="another device answers here, MAC 00:0d:5d:ff:ff:ff instead of"):
        await pdu.apply(OFF)
    assert all(wire.device.on)


async def test_one_that_no_longer_says_who_it_is_is_not_switched(wire: Wire) -> None:
    pdu = pdu_at(wire)
    await pdu.identify()
    for told, status in ((wire.device.mac, [500]), ("", [])):
        wire.device.mac, wire.device.status = told, status
        with pytest.raises(IncompleteRead):
            await pdu.apply(OFF)
    assert all(wire.device.on)


async def test_a_slow_poll_notices_it_too(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    pdu = pdu_at(wire)
    await pdu.identify()
    asked = len(wire.sent)
    await pdu.read()
    first = len(wire.sent) - asked
    wire.device.mac = "00:0D:5D:FF:FF:FF"
    await pdu.read()  # looked at a moment ago
    assert len(wire.sent) - asked <= 2 * first
    monkeypatch.setattr(nameplate_module, "LOOK_EVERY_S", 0.0)
    with pytest.raises(IdentityChanged):
        await pdu.read()


async def test_the_sites_file_may_say_which_one_is_meant(wire: Wire) -> None:
    pdu = pdu_at(wire, Nameplate("pdu-1 at 10.0.0.1", mac="00:11:22:33:44:55"))
    with pytest.raises(IdentityChanged, match=r"^pdu-1 at "):
        await pdu.identify()
    with pytest.raises(IdentityChanged):
        await pdu.apply(OFF)
    assert all(wire.device.on)


async def test_off_proves_nothing_where_nothing_drew(wire: Wire) -> None:
    wire.device.load_w[1] = 0.0
    pdu = pdu_at(wire)
    before = await pdu.prepare(OFF)
    await pdu.apply(OFF)
    for known in (before, None):
        seen = await pdu.read_back(OFF, known)
        assert seen.effect is Effect.UNSEEN
        assert "nothing drew before" in seen.observed


def test_an_integer_of_hundreds_of_digits_is_no_value() -> None:
    points = [point for point in load(DeviceKind.PDU, "shelly.gen2").points if point.request == "Switch.GetStatus"]
    measured = decode(points, {"output": True, "apower": 10**400, "voltage": 230.0})
    assert measured["outlet.power"].quality is Quality.IMPLAUSIBLE
    assert outlet_reading(1, measured).power_w is None
