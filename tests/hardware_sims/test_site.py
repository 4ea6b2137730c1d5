"""A whole site on loopback: real sockets in front of the physics, orders and faults from outside."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable

import httpx
import pytest
from msgspec.structs import replace

from hardware_sims.clock import SimulatedClock
from hardware_sims.control import ControlServer
from hardware_sims.host import port_plan
from hardware_sims.simulation import Simulation, SimulationOptions
from hardware_sims.site import SimulatedSite
from hardware_sims.tcp import AddressTaken
from shared.errors import SettingInvalid
from shared.site import Placement, miner_id


class Watch:
    """Real time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def site(simulation, watch, stopping) -> SimulatedSite:
    made = SimulatedSite(simulation, SimulatedClock(source=watch), port_of=port_plan(simulation.site.meter[0].address))
    await made.open()
    stopping.push_async_callback(made.close)
    return made


@pytest.fixture
async def control(site, stopping) -> httpx.AsyncClient:
    server = ControlServer(site)
    await server.start(0)
    stopping.push_async_callback(server.stop)
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}")
    stopping.push_async_callback(client.aclose)
    return client


@pytest.fixture
def pass_time(site, watch) -> Callable[[float], Awaitable[None]]:
    """Let simulated seconds pass, and hosts come up or go down."""

    async def wait(seconds: float) -> None:
        for _ in range(round(seconds / 2)):
            watch.now_s += 2
            site.tick()
            await asyncio.sleep(0)
        await asyncio.gather(*(host.settle() for host in site.hosts.values()))

    return wait


def placed(site: SimulatedSite, model: str) -> Placement:
    return next(placement for placement in site.simulation.site.placement if placement.model == model)


async def hears(site: SimulatedSite, address: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(address, site.port_of(port))
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


async def summary(exchange, address: str) -> dict:
    return json.loads((await exchange(address, 4028, b'{"command":"summary"}')).rstrip(b"\0"))


async def meter_power_w(site: SimulatedSite, exchange, meter_id: str) -> float:
    """Total power of an SDM630, read as a master does."""
    meter = next(meter for meter in site.simulation.site.meter if meter.id == meter_id)
    request = struct.pack(">HHHBBHH", 1, 0, 6, meter.unit, 4, 0x34, 2)
    reply = await exchange(meter.address, site.port_of(502), request, 13)
    return struct.unpack(">f", reply[9:])[0]


async def test_every_family_answers_at_its_own_address(site, exchange):
    whatsminer = await summary(exchange, placed(site, "M60S").address)
    assert whatsminer["SUMMARY"][0]["MAC"].lower() == placed(site, "M60S").mac
    antminer = await summary(exchange, placed(site, "Antminer S21").address)
    assert antminer["SUMMARY"][0]["Elapsed"] > 3000
    bitaxe = placed(site, "BitAxe Gamma")
    async with httpx.AsyncClient() as client:
        info = (await client.get(f"http://{bitaxe.address}:{site.port_of(80)}/api/system/info")).json()
    assert info["macAddr"].lower() == bitaxe.mac


async def test_meters_behind_the_gateway_read_what_the_tree_draws(site, exchange, pass_time):
    await pass_time(4)
    for meter, feeder in (("meter-c1", "c1"), ("meter-c2", "c2")):
        true_w = site.simulation.tree.total_w(feeder)
        assert await meter_power_w(site, exchange, meter) == pytest.approx(true_w, rel=0.015)


async def test_a_pdu_takes_a_miner_off_the_network_and_brings_it_back(site, exchange, pass_time):
    miner = placed(site, "M60S")
    pdu = next(pdu for pdu in site.simulation.site.pdu if pdu.id == miner.pdu)
    url = f"http://{pdu.address}:{site.port_of(80)}/model/outlet/{miner.outlet - 1}"
    async with httpx.AsyncClient(auth=("admin", "raritan")) as client:
        await client.post(url, json={"method": "setPowerState", "params": {"pstate": 0}, "id": 1})
        await pass_time(2)
        assert not await hears(site, miner.address, 4028)
        await client.post(url, json={"method": "setPowerState", "params": {"pstate": 1}, "id": 1})
    await pass_time(30)
    assert not await hears(site, miner.address, 4028)
    await pass_time(120)
    assert (await summary(exchange, miner.address))["SUMMARY"][0]["Uptime"] < 200


async def test_faults_by_control_reach_the_device(site, control, exchange, pass_time):
    miner = placed(site, "Antminer S21")
    reply = await control.post("/fault", json={"device": miner.mac, "kind": "dead"})
    assert reply.json()["faults"] == ["dead"]
    await pass_time(2)
    assert not await hears(site, miner.address, 4028)
    await control.request("DELETE", "/fault", json={"device": miner.address, "kind": "dead"})
    await pass_time(2)
    assert await hears(site, miner.address, 4028)
    await control.post("/fault", json={"device": miner_id(miner.mac), "kind": "truncated"})
    with pytest.raises(json.JSONDecodeError):
        await summary(exchange, miner.address)
    assert (await control.request("DELETE", "/fault")).json() == {"faults": {}}
    assert "SUMMARY" in await summary(exchange, miner.address)


async def test_a_miner_moves_to_another_address(site, control, exchange, pass_time, network):
    miner = placed(site, "M60S")
    elsewhere = str(network.network_address + 2000)
    detail = {"address": elsewhere}
    await control.post("/fault", json={"device": miner.mac, "kind": "moved", "detail": detail})
    await pass_time(2)
    assert not await hears(site, miner.address, 4028)
    assert (await summary(exchange, elsewhere))["SUMMARY"][0]["MAC"].lower() == miner.mac
    assert (await control.get("/truth", params={"device": miner.mac})).json()["address"] == elsewhere


async def test_a_meter_tells_what_it_shows_and_what_it_should_show(site, control, pass_time):
    await pass_time(4)
    meter = site.simulation.site.meter[0]
    told = (await control.get("/truth", params={"device": meter.id})).json()
    feeder = next(feeder.id for feeder in site.simulation.site.feeder if feeder.meter == meter.id)
    assert told["true_w"] == site.simulation.tree.total_w(feeder) > 0
    assert 0 < abs(told["shown_w"] / told["true_w"] - 1) < 0.02


async def test_truth_counts_every_order_executed(site, control, pass_time):
    row = 3
    machine = site.simulation.machines[row]
    await control.post("/fault", json={"device": machine.mac, "kind": "accepts_and_ignores"})
    machine.sleep() if machine.family.sleep_w else machine.restart_mining()
    await control.request("DELETE", "/fault", json={})
    machine.restart_mining()
    machine.restart_mining()
    await pass_time(4)
    told = (await control.get("/truth")).json()
    name = site.simulation.miner_ids[row]
    assert told["executed"] == {name: {"restart": 2}}
    assert sum(told["ignored"][name].values()) == 1
    assert told["miners"]["state"][row] == "starting"
    assert told["power_w"] == pytest.approx(sum(told["miners"]["power_w"]), rel=1e-6)
    assert told["feeders"]["site"]["power_w"] > told["power_w"]


async def test_a_reboot_in_mid_command_is_over_even_when_time_flies(site, control, exchange, watch):
    miner = placed(site, "M60S")
    machine = site.simulation.machine(miner_id(miner.mac))
    await control.post("/fault", json={"device": miner.mac, "kind": "reboot_mid_command"})
    machine.restart_mining()
    assert machine.faults.cut
    await control.post("/time", json={"factor": 1000})
    watch.now_s += 1
    site.tick()
    await asyncio.gather(*(host.settle() for host in site.hosts.values()))
    assert not machine.faults.cut
    assert (await summary(exchange, miner.address))["SUMMARY"][0]["Uptime"] < 1200


async def test_power_by_control_cuts_a_feeder_and_a_plug(site, control, pass_time):
    await control.post("/power", json={"device": "c1", "on": False})
    lone = next(p for p in site.simulation.site.placement if p.container == "c2")
    await control.post("/power", json={"device": lone.mac, "on": False})
    await pass_time(2)
    told = (await control.get("/truth")).json()
    assert told["feeders"]["c1"]["power_w"] == 0
    for placement, state in zip(site.simulation.site.placement, told["miners"]["state"], strict=True):
        dark = placement.container == "c1" or placement.mac == lone.mac
        assert (state == "off") == dark
        assert await hears(site, placement.address, 80) == (not dark and placement.model != "M60S")


async def test_time_and_weather_by_control(site, control, watch):
    assert (await control.post("/time", json={"factor": 60})).json() == {"factor": 60}
    watch.now_s += 10
    site.tick()
    assert site.simulation.now_s == pytest.approx(600)
    assert (await control.post("/ambient", json={"inlet_c": 45})).json() == {"outside_c": 45}
    watch.now_s += 60
    site.tick()
    assert min((await control.get("/truth")).json()["miners"]["inlet_c"]) > 40
    assert (await control.post("/ambient", json={"inlet_c": None})).json()["outside_c"] < 30


async def test_the_site_by_control_is_the_sites_file(site, control):
    told = (await control.get("/site")).json()
    assert told["id"] == "demo"
    assert len(told["placement"]) == 20


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "match"),
    [
        ("POST", "/fault", {"device": "nobody", "kind": "dead"}, 404, "nobody"),
        ("POST", "/fault", {"device": "meter-c1", "kind": "explode"}, 400, "kind"),
        ("POST", "/fault", {"device": "meter-c1", "kind": "moved"}, 400, "detail.address"),
        ("POST", "/fault", {"device": "meter-c1", "kind": "ct_reversed", "detail": {"phases": [4]}}, 400, "phases"),
        ("POST", "/fault", {"device": "meter-c1", "kind": "slow", "detial": {}}, 400, "detial"),
        ("POST", "/time", {"factor": -1}, 400, "factor"),
        ("POST", "/time", {"factor": 1e9}, 400, "factor"),
        ("POST", "/ambient", {"inlet_c": 500}, 400, "inlet_c"),
        ("POST", "/power", {"device": "meter-c1", "on": False}, 404, "no miner"),
        ("GET", "/nothing", None, 404, "/truth"),
    ],
)
async def test_control_refuses_and_says_why(control, method, path, body, status, match):
    reply = await control.request(method, path, json=body)
    assert reply.status_code == status
    assert match in reply.json()["error"]


async def test_an_address_in_use_ends_the_start_and_leaves_nothing_open(site, simulation, exchange):
    second = SimulatedSite(Simulation(simulation.site, SimulationOptions()), SimulatedClock(), port_of=site.port_of)
    with pytest.raises(AddressTaken):
        await second.open()
    assert await summary(exchange, placed(site, "M60S").address)


async def test_a_machine_without_an_address_cannot_be_put_on_the_network(simulation):
    first, *others = simulation.site.placement
    nameless = replace(simulation.site, placement=(replace(first, address=None), *others))
    with pytest.raises(SettingInvalid, match="has no address"):
        SimulatedSite(Simulation(nameless, SimulationOptions()), SimulatedClock(), port_of=lambda port: port)
