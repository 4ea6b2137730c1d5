"""What is particular to Xerus: bulk reads, return codes, sensors that do not count."""

import json

import pytest

from agent.site.devices.ports import Effect
from agent.site.devices.reading import quality_of
from agent.site.drivers.pdus import OutletPdu, driver
from shared.actions import SwitchOutlet
from shared.errors import AuthFailed, DeviceError, ProtocolViolation, Rejected, Unsupported, WritesDisabled
from shared.profiles import load
from shared.quality import Quality
from shared.states import DeviceKind

from .devices import Wire, XerusDevice

OFF = SwitchOutlet(outlet=1, on=False)


@pytest.fixture
def wire() -> Wire:
    return Wire(XerusDevice())


@pytest.fixture
def pdu(wire: Wire) -> OutletPdu:
    return driver(wire, load(DeviceKind.PDU, "raritan.xerus"))


async def test_a_poll_is_one_request_once_the_outlets_are_known(wire: Wire, pdu: OutletPdu) -> None:
    await pdu.read()
    wire.sent.clear()
    await pdu.read()
    assert [(method, path) for method, path, _ in wire.sent] == [("POST", "/bulk")]


async def test_a_large_pdu_is_read_in_bulks_of_bounded_size() -> None:
    wire = Wire(XerusDevice(outlets=54))
    pdu = driver(wire, load(DeviceKind.PDU, "raritan.xerus"))
    reading = await pdu.read()
    assert [outlet.power_w for outlet in reading.outlets] == wire.device.load_w
    for _, path, body in wire.sent:
        if path == "/bulk":
            assert len(json.loads(body)["params"]["requests"]) <= 150


async def test_switching_sends_the_code_of_this_vendor_at_once_for_all(wire: Wire, pdu: OutletPdu) -> None:
    await pdu.switch_many([1, 2], on=False)
    (_, path, body) = wire.sent[0]
    assert path == "/model/pdu/0"
    assert json.loads(body)["params"] == {"outletNumbers": [0, 1], "state": 0, "respectSequence": False}


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (1, Rejected, "not switchable"),
        (2, Rejected, "load shedding"),
        (3, Rejected, "disabled"),
        (5, WritesDisabled, "enable it"),
        (77, Rejected, "no reason"),
    ],
)
async def test_return_codes_have_names(
    wire: Wire, pdu: OutletPdu, code: int, kind: type[DeviceError], text: str
) -> None:
    wire.device.code = code
    with pytest.raises(kind, match=f"{text}.*code {code}") as caught:
        await pdu.apply(OFF)
    assert type(caught.value) is kind


async def test_a_sensor_that_calls_itself_invalid_is_no_value(wire: Wire, pdu: OutletPdu) -> None:
    wire.device.invalid.add("activePower")
    outlet = (await pdu.read()).outlets[0]
    assert outlet.power_w is None
    assert quality_of(outlet, "power_w") is Quality.ABSENT
    assert outlet.current_a == 5.0
    await pdu.apply(OFF)
    seen = await pdu.read_back(OFF, None)
    assert seen.effect is Effect.UNSEEN
    assert "nothing is proven" in seen.observed


async def test_resource_ids_that_changed_are_learned_again(wire: Wire, pdu: OutletPdu) -> None:
    await pdu.read()
    wire.device.board = 2
    stale = (await pdu.read()).outlets[0]
    assert (stale.on, stale.power_w) == (True, None)
    assert (await pdu.read()).outlets[0].power_w == 1200.0


async def test_an_idle_connection_that_was_closed_is_asked_once_more(wire: Wire, pdu: OutletPdu) -> None:
    wire.device.status = [408]
    await pdu.apply(OFF)
    assert wire.device.on[0] is False
    wire.device.status = [408, 408]
    with pytest.raises(ProtocolViolation, match="408"):
        await pdu.apply(OFF)


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [(302, Unsupported, "https://pdu/"), (401, AuthFailed, "password"), (500, ProtocolViolation, "500")],
)
async def test_statuses(wire: Wire, pdu: OutletPdu, status: int, kind: type[DeviceError], text: str) -> None:
    wire.device.status = [status]
    with pytest.raises(kind, match=text):
        await pdu.read()


async def test_a_method_that_the_firmware_lacks(wire: Wire, pdu: OutletPdu) -> None:
    wire.device._pdu = lambda *_: None
    with pytest.raises(Unsupported, match="-32601"):
        await pdu.identify()


async def test_a_bulk_answer_with_holes_is_refused(wire: Wire, pdu: OutletPdu) -> None:
    await pdu.read()
    wire.device._result = lambda *_: {"responses": []}
    with pytest.raises(ProtocolViolation, match="others answered"):
        await pdu.read()
