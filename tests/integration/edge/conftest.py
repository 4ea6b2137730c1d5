"""Real simulators, a real mosquitto, the real agent. A module says with SITE how large its simulated site is."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from agent.site.telemetry import breaker
from hardware_sims.broker import Mosquitto
from tests.integration.edge.desk import Desk, mqtt_of
from tests.integration.edge.node import LiveAgent, settings_of
from tests.integration.edge.simulators import Simulators

Start = Callable[..., Awaitable[LiveAgent]]


@pytest.fixture(scope="module")
def sims(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """`SIMS = (miners, {model: weight}, *options)` of the module."""
    running = Simulators(tmp_path_factory.mktemp("sims"), *request.module.SIMS)
    yield running
    running.stop()


@pytest.fixture
async def desk(broker: Mosquitto) -> AsyncIterator[Desk]:
    desk = Desk(broker)
    await desk.open()
    yield desk
    await desk.close()


@pytest.fixture
async def start(
    tmp_path: Path, sims: Simulators, desk: Desk, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Start]:
    """`await start(**settings)`: an agent that has found and read everything; stopped at the end."""
    monkeypatch.setattr(breaker, "_LONGEST_PAUSE_S", 1.0)  # what was broken is looked at again within a test
    running: list[LiveAgent] = []

    async def start(*, complete: bool = True, **changes: object) -> LiveAgent:
        agent = LiveAgent(settings_of(tmp_path, sims, desk, mqtt_of(broker), **changes))
        running.append(agent)
        await agent.start(len(sims.site.placement), complete=complete)
        return agent

    yield start
    for agent in running:
        await agent.stop()
    await sims.heal()
    await sims.run_at(1.0)
