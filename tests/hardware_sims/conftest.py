"""Fleets that step by hand, small sites, and loopback addresses that no other test run uses."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from ipaddress import IPv4Network

import pytest

from hardware_sims.faults import FaultState
from hardware_sims.layout import LayoutOrder, draw_up
from hardware_sims.model import model_named
from hardware_sims.physics import Fleet, SimulatedMachine
from hardware_sims.physics.build import NO_WEAR
from hardware_sims.physics.machine import MachineIdentity
from hardware_sims.simulation import Simulation, SimulationOptions

_networks = itertools.count()


@pytest.fixture
def make_fleet() -> Callable[..., Fleet]:
    """`make_fleet("M60S", "Antminer S21", seed=3, warm=False)`: machines of one container, without wear."""

    def make(*models: str, seed: int = 7, **options: object) -> Fleet:
        return Fleet([model_named(name) for name in models], [0] * len(models), seed=seed, **options)

    return make


@pytest.fixture
def machine_of() -> Callable[..., SimulatedMachine]:
    def make(fleet: Fleet, row: int = 0, faults: FaultState | None = None) -> SimulatedMachine:
        identity = MachineIdentity(f"02:00:00:00:00:{row:02x}", f"S{row}", f"h{row}", "127.0.0.1")
        return SimulatedMachine(fleet, row, identity, faults or FaultState())

    return make


@pytest.fixture
def run_for() -> Callable[..., None]:
    """Step a fleet or a simulation for so many simulated seconds."""

    def run(moving: Fleet | Simulation, seconds: float, dt: float = 1.0) -> None:
        for _ in range(round(seconds / dt)):
            moving.step(dt)

    return run


@pytest.fixture
def network() -> IPv4Network:
    """2048 loopback addresses of this test alone; the process id keeps parallel runs apart."""
    slot = (os.getpid() * 61 + next(_networks)) % 4096
    return IPv4Network((int(IPv4Network("127.128.0.0/9").network_address) + slot * 2048, 21))


@pytest.fixture
def simulation(network: IPv4Network) -> Simulation:
    """Twenty machines of a mixed fleet, two of them small, in two containers."""
    mix = {"Antminer S19j Pro": 0.3, "Antminer S21": 0.3, "M60S": 0.3, "BitAxe Gamma": 0.1}
    site = draw_up(LayoutOrder(miners=20, containers=2, seed=3, network=network, mix=mix))
    return Simulation(site, SimulationOptions(seed=3, wear=NO_WEAR))


@pytest.fixture
async def stopping() -> AsyncIterator[AsyncExitStack]:
    """Push a server's `stop`; all of them are awaited at the end of the test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def exchange() -> Callable[..., Awaitable[bytes]]:
    """Send bytes and read until the peer closes, or `count` bytes; nothing where it resets the connection."""

    async def ask(address: str, port: int, request: bytes, count: int = -1) -> bytes:
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(request)
            await writer.drain()
            reading = reader.read() if count < 0 else reader.readexactly(count)
            return await asyncio.wait_for(reading, 10)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    return ask
