import base64
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from hardware_sims.faults import Fault
from hardware_sims.pdus import XerusPdu, XerusServer

LOGIN = ("admin", "raritan")


@pytest.fixture
async def client(bank, faults, stopping) -> httpx.AsyncClient:
    pdu = XerusPdu(bank, mac="02:b5:ff:00:00:01", serial="PX1", start_unix_s=1_750_000_000.0)
    server = XerusServer(pdu, faults)
    await server.start("127.0.0.1", lambda _standard: 0)
    stopping.push_async_callback(server.stop)
    made = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.ports[80]}", auth=LOGIN)
    stopping.push_async_callback(made.aclose)
    return made


@pytest.fixture
def call(client) -> Callable[..., Awaitable[Any]]:
    """`await call(path, method, **params)` returns the whole reply."""

    async def one(path: str, method: str, **params: object) -> Any:
        body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 7}
        reply = (await client.post(path, json=body)).json()
        assert reply["id"] == 7
        return reply

    return one


async def test_outlets_are_found_through_their_resource_ids(call):
    outlets = (await call("/model/pdu/0", "getOutlets"))["result"]["_ret_"]
    assert len(outlets) == 4
    state = (await call(outlets[2]["rid"], "getState"))["result"]["_ret_"]
    assert state["available"]
    assert state["powerState"] == 1
    sensors = (await call(outlets[2]["rid"], "getSensors"))["result"]["_ret_"]
    assert sensors["voltageThd"] is None
    reading = (await call(sensors["activePower"]["rid"], "getReading"))["result"]["_ret_"]
    assert reading["available"]
    assert reading["valid"]
    assert reading["timestamp"] == 1_750_000_000
    assert reading["value"] == pytest.approx(1_000, rel=0.01)


async def test_several_outlets_switch_in_one_call(call, lamps):
    reply = await call(
        "/model/pdu/0", "setMultipleOutletPowerStates", outletNumbers=[0, 3], state=0, respectSequence=False
    )
    assert reply["result"] == {"_ret_": 0}
    assert [lamp.on for lamp in lamps] == [False, True, True, False]


async def test_a_sequence_switches_one_after_the_other_and_can_be_cancelled(call, lamps, bank, watch):
    await call("/model/pdu/0", "setMultipleOutletPowerStates", outletNumbers=[0, 1, 2], state=0, respectSequence=True)
    assert [lamp.on for lamp in lamps] == [False, True, True, True]
    state = (await call("/model/pdu/0", "getOutletSequenceState"))["result"]["_ret_"]
    assert state["sequenceRunning"]
    assert (state["nextOutletToSwitch"], state["outletsRemaining"]) == (1, 2)
    watch.now_s = 0.2
    bank.step()
    assert not lamps[1].on
    await call("/model/pdu/0", "cancelOutletSequence")
    watch.now_s = 5.0
    bank.step()
    assert lamps[2].on


@pytest.mark.parametrize("state", [2, -1, "off", None])
async def test_two_is_no_power_state_here(call, lamps, state):
    reply = await call("/model/outlet/0", "setPowerState", pstate=state)
    assert reply["result"] == {"_ret_": 6}
    assert lamps[0].on
    assert not lamps[0].history


@pytest.mark.parametrize("outlets", [[4], [-1], ["0"], 0, None])
async def test_unknown_outlets_switch_nothing(call, lamps, outlets):
    reply = await call("/model/pdu/0", "setMultipleOutletPowerStates", outletNumbers=outlets, state=0)
    assert reply["result"] == {"_ret_": 6}
    assert all(lamp.on for lamp in lamps)


async def test_cycling_comes_back_by_itself(call, lamps, bank, watch):
    await call("/model/outlet/1", "cyclePowerState")
    assert not lamps[1].on
    assert (await call("/model/outlet/1", "getState"))["result"]["_ret_"]["cycleInProgress"]
    watch.now_s = 10.0
    bank.step()
    assert lamps[1].on


async def test_load_shedding_drops_and_restores_what_was_on(call, lamps, bank, watch):
    bank.order(2, False)
    await call("/model/pdu/0", "setLoadSheddingActive", active=True)
    assert not any(lamp.on for lamp in lamps)
    assert (await call("/model/pdu/0", "isLoadSheddingActive"))["result"]["_ret_"]
    assert (await call("/model/outlet/0", "getState"))["result"]["_ret_"]["isLoadShed"]
    await call("/model/pdu/0", "setLoadSheddingActive", active=False)
    watch.now_s = 1.0
    bank.step()
    assert [lamp.on for lamp in lamps] == [True, True, False, True]


async def test_the_relay_state_echoes_the_order_of_a_stuck_contact(call, faults):
    faults.set(Fault.STUCK_RELAY)
    await call("/model/outlet/0", "setPowerState", pstate=0)
    assert (await call("/model/outlet/0", "getState"))["result"]["_ret_"]["powerState"] == 0
    watts = (await call("/model/outlet/0/activePower", "getReading"))["result"]["_ret_"]["value"]
    assert watts == pytest.approx(1_000, rel=0.01)


async def test_bulk_answers_each_request_for_itself(client):
    requests = [
        {"rid": "/model/outlet/0", "json": {"jsonrpc": "2.0", "method": "getState", "params": {}, "id": 1}},
        {"rid": "/model/outlet/99", "json": {"jsonrpc": "2.0", "method": "getState", "params": {}, "id": 2}},
        {"rid": "/model/inlet/0/activePower", "json": {"jsonrpc": "2.0", "method": "getReading", "id": 3}},
        "nonsense",
    ]
    body = {"jsonrpc": "2.0", "method": "performBulk", "params": {"requests": requests}, "id": 9}
    responses = (await client.post("/bulk", json=body)).json()["result"]["responses"]
    assert [response["statcode"] for response in responses] == [200, 404, 200, 400]
    assert responses[0]["json"]["result"]["_ret_"]["powerState"] == 1
    assert responses[2]["json"]["result"]["_ret_"]["value"] == pytest.approx(4_000, rel=0.01)


async def test_errors(client, call):
    assert (await call("/model/pdu/0", "explode"))["error"]["code"] == -32601
    assert (await client.post("/model/pdu/0", content=b"{")).json()["error"]["code"] == -32700
    assert (await client.post("/model/outlet/4", json={"method": "getState", "id": 1})).status_code == 404
    assert (await client.post("/model/pdu/0", json={"method": "getState", "params": [1], "id": 1})).json()["error"]
    assert (await client.get("/model/pdu/0")).status_code == 405


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"admin:x").decode()]
)
async def test_the_wrong_login_is_refused(client, header):
    reply = await client.post("/model/pdu/0", json={}, headers={"authorization": header}, auth=None)
    assert reply.status_code == 401
    assert "Basic" in reply.headers["www-authenticate"]


async def test_the_nameplate_counts_the_outlets(call):
    described = (await call("/model/pdu/0", "getMetaData"))["result"]["_ret_"]
    assert described["nameplate"]["model"] == "PX3-4"
    assert described["macAddress"] == "02:b5:ff:00:00:01"
