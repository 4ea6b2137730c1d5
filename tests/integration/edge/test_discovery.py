"""Who is on the site, by what the devices themselves answer: moves, doubles, strangers, wrong papers, rogue words."""

import asyncio
import ipaddress
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from agent.site.discovery import finder
from hardware_sims.announcement import Announced, announcing
from hardware_sims.faults import FaultState
from hardware_sims.miners import SERVERS
from hardware_sims.model import model_named
from hardware_sims.physics import Fleet, SimulatedMachine
from hardware_sims.physics.machine import MachineIdentity
from hardware_sims.site_file import write_site
from shared.states import Reach
from tests.integration.edge.desk import eventually

pytestmark = pytest.mark.broker

SIMS = (8, {"Antminer S21": 3, "M60S": 3, "BitAxe Gamma": 2})
FAMILY = {"Antminer S21": "antminer-stock", "M60S": "whatsminer-v2", "BitAxe Gamma": "axeos"}


def free_address(sims, back: int = 1) -> str:
    """An address of the site's range that no device has."""
    return str(list(ipaddress.ip_network(sims.site.ranges[0]).hosts())[-back])


@pytest.fixture
async def double(sims) -> AsyncIterator[Callable[[str, str], Awaitable[None]]]:
    """`await double(mac, address)`: a second BitAxe that says it has this MAC."""
    servers = []

    async def put(mac: str, address: str) -> None:
        fleet = Fleet([model_named("BitAxe Gamma")], [0], seed=3)
        faults = FaultState()
        server = SERVERS["axeos"](
            SimulatedMachine(fleet, 0, MachineIdentity(mac, "D1", "double", address), faults), faults
        )
        await server.start(address, lambda port: sims.ports.get(port, port))
        servers.append(server)

    yield put
    for server in servers:
        await server.stop()


@pytest.fixture
async def stranger(sims) -> AsyncIterator[str]:
    """Something with a web page that is no miner; its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    address = free_address(sims)
    server = await asyncio.start_server(answer, address, sims.ports[80])
    yield address
    server.close()
    await server.wait_closed()


async def test_every_device_is_found_named_and_placed(start, sims, desk):
    agent = await start()
    for placed in sims.site.placement:
        known = agent.app.roster.miners["m-" + placed.mac.replace(":", "")]
        assert known.placement == placed
        assert known.record.family == FAMILY[placed.model]
        assert known.record.address == placed.address
        assert known.record.curve
    assert agent.app.roster.meters.keys() == {meter.id for meter in sims.site.meter}
    assert agent.app.roster.pdus.keys() == {pdu.id for pdu in sims.site.pdu}
    await eventually(lambda: len(desk.devices) == len(agent.app.roster), 5, "the controller was told of all")
    assert not [event for event in desk.events if event.code.startswith("discovery.")]


@pytest.mark.parametrize("model", FAMILY)
async def test_a_miner_at_another_address_is_the_same_miner(start, sims, desk, model):
    agent = await start()
    device_id = sims.miners_of(model)[0]
    known = agent.app.roster.miners[device_id]
    closed = asyncio.Event()
    close = known.driver.aclose

    async def aclose() -> None:
        closed.set()
        await close()

    known.driver.aclose = aclose
    elsewhere = free_address(sims, back=2)
    await sims.fault(device_id, "moved", address=elsewhere)
    await eventually(lambda: agent.app.roster.miners[device_id].record.address == elsewhere, 12, "it was found again")
    moved_ms = agent.app.clock.now_ms()
    await eventually(lambda: (agent.miner(device_id).observed_at_ms or 0) > moved_ms, 3, "it is read there, at once")
    assert agent.miner(device_id).reach is Reach.UP
    assert closed.is_set()
    await eventually(lambda: desk.alarms("discovery.moved-miner", device_id) == [True], 3, "the move was told once")
    await eventually(lambda: desk.devices[device_id].address == elsewhere, 3, "its record follows")
    assert len(agent.app.roster.miners) == len(sims.site.placement)


async def test_a_second_device_with_the_mac_of_a_present_one_is_told_and_not_believed(start, sims, desk, double):
    agent = await start()
    original = sims.miners_of("BitAxe Gamma")[0]
    address = free_address(sims, back=3)
    await double(next(p.mac for p in sims.site.placement if p.model == "BitAxe Gamma"), address)
    await eventually(lambda: desk.alarms("discovery.unknown-device", address) == [True], 8, "the double was told")
    assert agent.app.roster.miners[original].record.address == sims.address_of(original)
    assert desk.alarms("discovery.moved-miner") == []
    assert agent.miner(original).reach is Reach.UP


async def test_two_that_claim_one_mac_from_the_start_never_count_as_a_move(start, sims, desk, double):
    await double(next(p.mac for p in sims.site.placement if p.model == "BitAxe Gamma"), free_address(sims, back=3))
    await start()
    await eventually(lambda: desk.alarms("discovery.unknown-device") == [True], 8, "one of them was told")
    assert desk.alarms("discovery.moved-miner") == []


async def test_a_machine_with_a_cloned_control_board_is_read_beside_the_one_it_was_cloned_from(start, sims, desk):
    first, clone = sims.miners_of("Antminer S21")[:2]
    address = sims.address_of(clone)
    await sims.fault(clone, "cloned_mac", mac=next(p.mac for p in sims.site.placement if _id(p) == first))
    agent = await start(complete=False, discovery={"sweep_every_s": 1.0, "second_opinion": False})
    roster = agent.app.roster.miners
    await eventually(lambda: any(name.startswith(f"{first}-") for name in roster), 15, "both were met")
    twin = next(known for name, known in roster.items() if name.startswith(f"{first}-"))
    assert {roster[first].record.address, twin.record.address} == {sims.address_of(first), address}
    assert roster[first].record.serial != twin.record.serial
    assert (twin.placement, twin.driver.verbs) == (None, frozenset())
    await eventually(lambda: twin.device_id in agent.image.miners, 10, "the twin is polled")
    assert agent.image.miners[twin.device_id].reading.hashrate_ths
    assert desk.alarms("discovery.duplicate-mac", twin.device_id) == [True]
    assert desk.alarms("discovery.moved-miner") == []


def _id(placed) -> str:
    return "m-" + placed.mac.replace(":", "")


async def test_what_no_driver_knows_is_named_by_pyasic_in_another_process_and_never_polled(start, sims, desk, stranger):
    agent = await start(discovery={"sweep_every_s": 2.0, "second_opinion": True})
    await eventually(lambda: desk.alarms("discovery.unknown-device", stranger) == [True], 19, "pyasic was asked")
    assert "pyasic" not in sys.modules
    assert len(agent.image.miners) == len(sims.site.placement)


async def test_a_meter_that_is_not_what_the_papers_say_is_refused_and_never_read(
    start, sims, desk, tmp_path, monkeypatch
):
    wrong = {"schneider.iem3000": "eastron.sdm630"}
    meters = tuple(msgspec.structs.replace(m, profile=wrong.get(m.profile, m.profile)) for m in sims.site.meter)
    unknown = msgspec.structs.replace(sims.site.pdu[0], id="pdu-typo", profile="nobody.knows")
    path = tmp_path / "wrong.toml"
    write_site(path, msgspec.structs.replace(sims.site, meter=meters, pdu=(*sims.site.pdu, unknown)))
    monkeypatch.setattr(finder, "INSTRUMENT_RETRY_S", 0.5)
    agent = await start(site_file=path, complete=False)
    await eventually(lambda: len(desk.alarms("discovery.wrong-instrument")) == 2, 8, "both were told")
    await asyncio.sleep(1.2)  # two more attempts
    assert len(desk.alarms("discovery.wrong-instrument")) == 2
    assert "meter-site" not in agent.app.roster.meters
    assert "meter-site" not in agent.image.meters
    assert len(agent.image.meters) == len(meters) - 1


async def test_an_announcement_makes_a_candidate_and_nothing_else(start, sims, desk):
    agent = await start(discovery={"sweep_every_s": 0, "second_opinion": False, "mdns_interfaces": ["127.0.0.1"]})
    device_id = sims.miners_of("BitAxe Gamma")[1]
    elsewhere = free_address(sims, back=4)
    nobody, outside = free_address(sims, back=5), "127.0.0.1"
    before = {known.device_id: known.record for known in agent.app.roster.miners.values()}
    rogue = [Announced(f"shelly-{n}", address, 80, {}) for n, address in enumerate((nobody, outside))]
    async with announcing(rogue):
        await sims.fault(device_id, "moved", address=elsewhere)
        async with announcing([Announced("bitaxe", elsewhere, 80, {})]):
            await eventually(
                lambda: agent.app.roster.miners[device_id].record.address == elsewhere, 12, "it was looked at and known"
            )
    after = {known.device_id: known.record for known in agent.app.roster.miners.values()}
    assert {name for name in after if after[name] != before[name]} == {device_id}
    assert after.keys() == before.keys()
    assert [event.code for event in desk.events if event.subject in (nobody, outside)] == []
