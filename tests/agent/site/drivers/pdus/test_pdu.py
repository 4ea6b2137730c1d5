"""Every PDU driver: read, switch, and prove by watts what was switched."""

import pytest

from agent.site.devices.ports import Effect
from agent.site.devices.reading import quality_of, usable
from agent.site.drivers.pdus import OutletPdu, driver
from shared.actions import Reboot, SwitchOutlet
from shared.errors import IdentityChanged, ProtocolViolation, Rejected, Unsupported
from shared.profiles import load
from shared.quality import Quality
from shared.states import DeviceKind

from .devices import ShellyDevice, Wire, XerusDevice

OFF, ON = SwitchOutlet(outlet=2, on=False), SwitchOutlet(outlet=2, on=True)


@pytest.fixture(params=["raritan.xerus", "shelly.gen2"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(XerusDevice() if request.param == "raritan.xerus" else ShellyDevice())


@pytest.fixture
def pdu(wire: Wire) -> OutletPdu:
    profile = "raritan.xerus" if isinstance(wire.device, XerusDevice) else "shelly.gen2"
    return driver(wire, load(DeviceKind.PDU, profile))


async def test_outlets_count_from_one_and_carry_their_load(wire: Wire, pdu: OutletPdu) -> None:
    wire.device.on[3] = False
    reading = await pdu.read()
    assert [outlet.outlet for outlet in reading.outlets] == [1, 2, 3, 4]
    assert [outlet.on for outlet in reading.outlets] == [True, True, True, False]
    assert [outlet.power_w for outlet in reading.outlets] == [1200.0, 1300.0, 1400.0, 0.0]
    first = reading.outlets[0]
    assert (first.current_a, first.voltage_v, first.energy_wh) == (5.0, 240.0, 5000.0)
    assert all(quality_of(first, field) is Quality.GOOD for field in ("on", "power_w", "current_a", "energy_wh"))
    assert reading.evidence


async def test_identity(pdu: OutletPdu) -> None:
    identity = await pdu.identify()
    assert identity.kind == "pdu"
    assert identity.family in ("xerus", "shelly")
    assert identity.mac in ("00:0d:5d:0a:1b:2c", "a8:03:2a:be:54:dc")
    assert identity.firmware
    assert identity.serial


async def test_verbs_and_deadlines_come_from_the_profile(pdu: OutletPdu) -> None:
    assert pdu.verbs == {"switch_outlet"}
    assert pdu.confirm_within_s["switch_outlet"] >= 5


async def test_off_is_shown_by_watts_that_are_gone(wire: Wire, pdu: OutletPdu) -> None:
    before = await pdu.prepare(OFF)
    acknowledgement = await pdu.apply(OFF)
    assert "outlet 2" in acknowledgement.text
    assert wire.device.on == [True, False, True, True]
    seen = await pdu.read_back(OFF, before)
    assert seen.effect is Effect.SHOWN
    assert seen.observed == "outlet 2 says off, 0 W, 1300 W before"
    assert seen.evidence


async def test_a_stuck_relay_is_not_shown_though_its_state_says_off(wire: Wire, pdu: OutletPdu) -> None:
    wire.device.stuck.add(1)
    before = await pdu.prepare(OFF)
    await pdu.apply(OFF)
    seen = await pdu.read_back(OFF, before)
    assert seen.effect is Effect.NOT_SHOWN
    assert seen.observed == "outlet 2 says off, 1300 W, 1300 W before; the relay is stuck"


async def test_on_is_shown_by_watts_and_unseen_without(wire: Wire, pdu: OutletPdu) -> None:
    wire.device.on[1] = False
    assert (await pdu.read_back(ON, None)).effect is Effect.NOT_SHOWN
    await pdu.apply(ON)
    assert (await pdu.read_back(ON, None)).effect is Effect.SHOWN
    wire.device.load_w[1] = 0.0
    seen = await pdu.read_back(ON, None)
    assert seen.effect is Effect.UNSEEN
    assert "nothing plugged in" in seen.observed


async def test_many_outlets_at_once(wire: Wire, pdu: OutletPdu) -> None:
    await pdu.switch_many([1, 3, 4], on=False)
    assert wire.device.on == [False, True, False, False]
    expected = 1 if isinstance(wire.device, XerusDevice) else 3
    assert len(wire.sent) == expected


async def test_nothing_is_sent_where_one_outlet_is_impossible(wire: Wire, pdu: OutletPdu) -> None:
    with pytest.raises(Unsupported, match="outlet 99"):
        await pdu.switch_many([1, 99], on=False)
    with pytest.raises(Unsupported, match="at least one"):
        await pdu.switch_many([], on=False)
    assert wire.sent == []
    assert all(wire.device.on)


async def test_an_outlet_that_does_not_exist(pdu: OutletPdu) -> None:
    with pytest.raises(Unsupported):
        await pdu.prepare(SwitchOutlet(outlet=9, on=False))


async def test_other_orders_are_not_for_a_pdu(wire: Wire, pdu: OutletPdu) -> None:
    for call in (pdu.prepare, pdu.apply):
        with pytest.raises(Unsupported, match="cannot reboot"):
            await call(Reboot())
    assert wire.sent == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff\xfe"])
async def test_garbage_is_a_violation(wire: Wire, pdu: OutletPdu, body: bytes) -> None:
    wire.device.answer = lambda *_: (200, body)
    with pytest.raises(ProtocolViolation, match="no JSON"):
        await pdu.read()


@pytest.mark.parametrize("answer", [None, [], {}, {"result": []}, {"result": {"_ret_": [{"rid": 3}]}}, 7, "x"])
async def test_json_of_another_shape_is_no_reading(wire: Wire, pdu: OutletPdu, answer: object) -> None:
    wire.device.answer = lambda *_: (200, answer)
    if isinstance(wire.device, XerusDevice):
        with pytest.raises(ProtocolViolation):
            await pdu.read()
    else:
        first = (await pdu.read()).outlets[0]
        assert first.on is None
        assert usable(first, "power_w") is None
    with pytest.raises(ProtocolViolation):
        await pdu.apply(OFF)
    with pytest.raises(IdentityChanged):
        await pdu.identify()


async def test_a_shelly_of_the_first_generation_is_refused() -> None:
    device = ShellyDevice()
    device.gen = 1
    with pytest.raises(IdentityChanged, match=r"identity\.code is 1"):
        await driver(Wire(device), load(DeviceKind.PDU, "shelly.gen2")).identify()


async def test_half_of_a_group_is_reported_as_such() -> None:
    device = ShellyDevice()
    pdu = driver(Wire(device), load(DeviceKind.PDU, "shelly.gen2"))
    device.refuse_after = 1
    with pytest.raises(ProtocolViolation, match=r"1 requests were obeyed, then: .*overtemp"):
        await pdu.switch_many([1, 2, 3], on=False)
    device.refuse_after = 0
    with pytest.raises(Rejected, match="overtemp"):
        await pdu.switch_many([1, 2, 3], on=False)


async def test_closing(wire: Wire, pdu: OutletPdu) -> None:
    await pdu.aclose()
    assert wire.closed
