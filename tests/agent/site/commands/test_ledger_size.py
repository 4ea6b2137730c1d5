"""The ledger stays small by itself and remembers that it forgot."""

import asyncio

import pytest

from agent.site.commands import ledger as ledger_module
from agent.site.commands import service as service_module
from agent.site.commands.ledger import Ledger
from shared.actions import Wake
from shared.wire.command import Command, Order
from tests.agent.site.commands.house import House


def command(counter: int, orders: int) -> Command:
    several = tuple(Order(f"m-{number}", Wake()) for number in range(orders))
    return Command(1, f"c{counter}", "tx1", "n", counter, 0, 1, "test", several)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "commands.db")
    ledger.open()
    yield ledger
    ledger.close()


async def test_the_oldest_beyond_the_bound_are_forgotten_and_stay_refused(ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "KEEP_ORDERS", 10)
    for counter in range(1, 5):
        await ledger.accept(command(counter, 3), "k", now_ms=counter)
    await ledger.prune(now_ms=5)
    kept = {item.command_id for item, _ in ledger.unfinished()}
    assert kept == {"c3", "c4"}
    assert ledger.floor("k") == 2


async def test_what_fits_is_kept(ledger):
    await ledger.accept(command(1, 3), "k", now_ms=1)
    await ledger.prune(now_ms=5)
    assert len(ledger.unfinished()) == 3
    assert ledger.floor("k") == 0


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path)
    yield house
    await house.aclose()


async def test_upkeep_goes_on_while_the_agent_runs(house, monkeypatch):
    """Not at the start only, and not ended by a disk that fails once."""
    monkeypatch.setattr(service_module, "UPKEEP_EVERY_S", 0.0)
    house.ledger.close()
    upkeep = asyncio.create_task(house.service.upkeep())
    await asyncio.sleep(0)
    house.ledger.open()
    await house.ledger.accept(command(7, 1), "k", now_ms=1)
    async with asyncio.timeout(8):
        while house.ledger.floor("k") != 7:
            await asyncio.sleep(0.01)
    upkeep.cancel()


async def test_standing_alarms_outlive_the_agent(ledger):
    await ledger.keep_standing({("device.fault", "m-1"): "fan", ("device.silent", "m-2"): "gone"}, [])
    await ledger.keep_standing({("device.fault", "m-1"): "fan; board"}, [("device.silent", "m-2")])
    ledger.close()
    ledger.open()
    assert ledger.standing_alarms() == {("device.fault", "m-1"): "fan; board"}
