"""The AxeOS API: units, settings and their checks."""

import asyncio
import json
from contextlib import AsyncExitStack
from ipaddress import IPv4Network

import pytest

from hardware_sims.miners.axeos import AxeosServer
from hardware_sims.miners.machine import MachineState, Pool


@pytest.fixture
def machine(machine):
    machine.model, machine.nameplate_ths, machine.nameplate_w = "BitAxe Gamma", 1.2, 18
    machine.power_w = 17.5
    machine.rates_ths[60] = 1.2034567891
    machine.hashrate_expected_ths = 1.071
    machine.fan_rpm = (5200.0,)
    machine.boards = machine.boards[:1]
    return machine


@pytest.fixture
async def axe(machine, faults, serve, web):
    ports = await serve(AxeosServer(machine, faults))
    async with web(ports[80]) as connection:
        yield connection


async def info(axe) -> dict:
    reply = await axe.send("GET", "/api/system/info")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return reply.json


async def patch(axe, document) -> int:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return (await axe.send("PATCH", "/api/system", body)).status


async def test_units(axe):
    told = await info(axe)
    assert told["hashRate"] == pytest.approx(1203.4567891)
    assert told["expectedHashrate"] == pytest.approx(1071)
    assert (told["power"], told["voltage"], told["current"]) == (17.5, 5000.0, 3500.0)
    assert told["power"] == pytest.approx(told["voltage"] * told["current"] / 1e6)
    assert (told["coreVoltage"], told["coreVoltageActual"]) == (1150, 1150)
    assert (told["frequency"], told["smallCoreCount"]) == (525, 2040)
    assert (told["temp"], told["vrTemp"], told["fanrpm"]) == (71.0, 79.0, 5200)
    assert (told["uptimeSeconds"], told["macAddr"]) == (100_000, "AA:BB:CC:00:11:22")
    assert (told["sharesAccepted"], told["sharesRejectedReasons"][0]["count"]) == (4000, 8)


async def test_host_and_port_come_apart(axe):
    told = await info(axe)
    assert (told["stratumURL"], told["stratumPort"], told["stratumUser"]) == ("pool-a.example", 3333, "farm.1")
    assert (told["fallbackStratumURL"], told["fallbackStratumPort"]) == ("pool-b.example", 25)
    assert "stratumPassword" not in told


async def test_no_pool(axe, machine):
    machine.pools = []
    assert ((await info(axe))["stratumURL"], (await info(axe))["fallbackStratumURL"]) == ("", "")


async def test_asic(axe):
    told = (await axe.send("GET", "/api/system/asic")).json
    assert (told["ASICModel"], told["asicCount"], told["defaultFrequency"]) == ("BM1370", 1, 525)
    assert told["frequencyOptions"] == [400, 490, 525, 550, 600, 625]
    assert 1150 in told["voltageOptions"]


async def test_the_page_names_the_family(axe):
    assert b"AxeOS" in (await axe.send("GET", "/")).body


async def test_frequency_is_a_limit_of_the_machine(axe, machine):
    assert await patch(axe, {"frequency": 400}) == 200
    assert machine.orders == [("limit", 14)]
    assert (await info(axe))["frequency"] == 400
    assert await patch(axe, {"frequency": 525}) == 200
    assert machine.orders[1:] == [("limit", None)]
    assert (await info(axe))["frequency"] == 525


async def test_an_ignored_frequency_is_not_shown(axe, machine):
    machine.set_power_limit = lambda _limit_w: None
    assert await patch(axe, {"frequency": 400}) == 200
    assert (await info(axe))["frequency"] == 525


async def test_pool_fields_change_one_by_one(axe, machine):
    assert await patch(axe, {"stratumURL": "new.example", "stratumPort": 4444}) == 200
    assert machine.pools[0].url == "stratum+tcp://new.example:4444"
    assert (machine.pools[0].user, machine.pools[0].password) == ("farm.1", "x")
    assert machine.pools[1].url == "stratum+tcp://pool-b.example:25"
    assert await patch(axe, {"fallbackStratumURL": ""}) == 200
    assert len(machine.pools) == 1


async def test_a_url_without_scheme(axe, machine):
    machine.pools = [Pool("pool.example:21496", "u")]
    assert ((await info(axe))["stratumURL"], (await info(axe))["stratumPort"]) == ("pool.example", 21496)


async def test_stored_settings(axe, machine):
    assert await patch(axe, {"hostname": "axe7", "fanspeed": 60, "autofanspeed": False, "unknown": 1}) == 200
    told = await info(axe)
    assert (told["hostname"], told["fanspeed"], told["autofanspeed"]) == ("axe7", 60, 0)
    assert "unknown" not in told
    assert machine.orders == []


@pytest.mark.parametrize(
    "document",
    [
        {"overheat_mode": 1},
        {"frequency": 0},
        {"frequency": "400"},
        {"coreVoltage": 5000},
        {"fanspeed": 101},
        {"stratumPort": 70_000},
        {"stratumURL": 5},
        {"hostname": None},
        {"fanspeed": 50, "frequency": -1},
        b"{",
        b"[]",
        b"",
    ],
)
async def test_refused_settings_change_nothing(axe, machine, document):
    before = await info(axe)
    assert await patch(axe, document) == 400
    assert await info(axe) == before
    assert machine.orders == []


async def test_overheat_mode_can_be_cleared(axe):
    assert await patch(axe, {"overheat_mode": 0}) == 200


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/system/stop"), ("GET", "/api/nonsense"), ("PUT", "/api/system")]
)
async def test_there_is_no_stop(axe, machine, method, path):
    assert (await axe.send(method, path)).status == 404
    assert machine.orders == []


async def test_restart_answers_and_then_nothing_does(axe, machine):
    assert (await axe.send("POST", "/api/system/restart")).status == 200
    assert machine.orders == ["reboot"]
    with pytest.raises(asyncio.IncompleteReadError):
        await info(axe)


async def test_only_the_allowed_network(machine, faults, serve, web):
    async with AsyncExitStack() as stack:
        ports = await serve(AxeosServer(machine, faults, allowed=IPv4Network("10.0.0.0/8")))
        connection = await stack.enter_async_context(web(ports[80]))
        assert (await connection.send("GET", "/api/system/info")).status == 401


@pytest.mark.parametrize("state", [MachineState.OFF, MachineState.BOOTING])
async def test_nothing_answers_without_power(axe, machine, state):
    machine.state = state
    with pytest.raises(asyncio.IncompleteReadError):
        await info(axe)


async def test_a_power_fault_is_told(axe, machine):
    assert (await info(axe))["power_fault"] is None
    machine.state = MachineState.FAULT
    assert (await info(axe))["power_fault"]
