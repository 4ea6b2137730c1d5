"""What all families share, with the real physics behind them: faults of meaning, lifecycle, many listeners."""

import asyncio
import inspect
import json
import resource

import pytest

from hardware_sims.faults import Fault, FaultDetail, FaultState
from hardware_sims.miners import SERVERS, AntminerServer
from hardware_sims.miners.antminer import Firmware
from hardware_sims.miners.machine import MachineState
from hardware_sims.model import model_named
from hardware_sims.physics import Fleet, SimulatedMachine
from hardware_sims.physics.machine import MachineIdentity
from hardware_sims.tcp import AddressTaken

LISTENERS = 1_000  # of two sockets each


@pytest.fixture
def simulated(faults):
    """A warm machine of this model, and the fleet that moves it."""

    def simulated(model: str) -> tuple[SimulatedMachine, Fleet]:
        fleet = Fleet([model_named(model)], [0], seed=4)
        identity = MachineIdentity("aa:bb:cc:00:11:22", "SN0001", "miner", "127.0.0.9")
        return SimulatedMachine(fleet, 0, identity, faults), fleet

    return simulated


@pytest.fixture
async def summary(simulated, faults, serve, ask):
    """An Antminer over real physics; a call reads its summary."""
    machine, fleet = simulated("Antminer S21")
    for _ in range(60):
        fleet.step(10)
    ports = await serve(AntminerServer(machine, faults, firmware=Firmware("x")))

    async def read() -> dict:
        fleet.step(5)
        return (await ask(ports[4028], "summary"))["SUMMARY"][0]

    return read


async def test_a_plausible_rate(summary):
    assert 0.9 < (await summary())["GHS 5s"] / 200_000 < 1.1


async def test_wrong_unit(summary, faults):
    faults.set(Fault.WRONG_UNIT, FaultDetail(factor=1e6))
    assert 0.9 < (await summary())["GHS 5s"] / 200_000e6 < 1.1


async def test_frozen_repeats_its_figures(summary, faults):
    first = await summary()
    faults.set(Fault.FROZEN)
    frozen = await summary()
    assert await summary() == frozen
    faults.clear()
    assert (await summary())["Elapsed"] > frozen["Elapsed"] >= first["Elapsed"]


@pytest.mark.parametrize("fault", [None, Fault.ACCEPTS_AND_IGNORES])
async def test_accepts_and_ignores(simulated, faults, serve, web, fault):
    machine, _ = simulated("BitAxe Gamma")
    ports = await serve(SERVERS["axeos"](machine, faults))
    if fault:
        faults.set(fault)
    async with web(ports[80]) as connection:
        reply = await connection.send("PATCH", "/api/system", b'{"frequency":400}')
        told = (await connection.send("GET", "/api/system/info")).json
    assert reply.status == 200
    assert told["frequency"] == (525 if fault else 400)
    assert machine.power_limit_w == (None if fault else 14)


async def test_reboot_mid_command_stores_the_order_and_never_answers(simulated, faults, serve, web):
    machine, _ = simulated("BitAxe Gamma")
    ports = await serve(SERVERS["axeos"](machine, faults))
    faults.set(Fault.REBOOT_MID_COMMAND)
    async with web(ports[80]) as connection:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await connection.send("PATCH", "/api/system", b'{"frequency":400}')
    assert machine.power_limit_w == 14
    assert machine.state is MachineState.BOOTING


@pytest.mark.parametrize("family", sorted(SERVERS))
async def test_lifecycle(family, machine, faults):
    server = SERVERS[family](machine, faults)
    await server.start("127.0.0.1", lambda _standard: 0)
    ports = server.ports
    assert set(ports) == {"antminer": {4028, 80}, "whatsminer": {4028}, "axeos": {80}}[family]
    await server.stop()
    await server.stop()
    for port in ports.values():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
    await server.start("127.0.0.1", lambda standard: ports[standard])
    assert server.ports == ports
    await server.stop()


async def test_a_taken_port_leaves_nothing_listening(machine, faults, serve):
    taken = (await serve(SERVERS["axeos"](machine, faults)))[80]
    server = AntminerServer(machine, faults)
    free = []

    def port_of(standard: int) -> int:
        free.append(standard)
        return taken if standard == 80 else 0

    with pytest.raises(AddressTaken):
        await server.start("127.0.0.1", port_of)
    assert free == [4028, 80]
    await server.stop()


def test_the_constructors_are_alike():
    for server in SERVERS.values():
        required = [
            name
            for name, parameter in inspect.signature(server).parameters.items()
            if parameter.default is inspect.Parameter.empty
        ]
        assert required == ["machine", "faults"]


async def test_thousands_of_listeners_in_one_process(machine, exchange):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = 2 * LISTENERS + 500
    if hard < need:
        pytest.skip(f"this process may not open {need} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    servers = [AntminerServer(machine, FaultState()) for _ in range(LISTENERS)]
    try:
        for server in servers:
            await server.start("127.0.0.1", lambda _standard: 0)
        ports = [server.ports[4028] for server in servers]
        replies = [
            reply
            for start in range(0, LISTENERS, 100)
            for reply in await asyncio.gather(
                *(exchange(port, b'{"command":"version"}') for port in ports[start : start + 100])
            )
        ]
        assert all(json.loads(reply[:-1])["id"] == 1 for reply in replies)
    finally:
        for server in servers:
            await server.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
