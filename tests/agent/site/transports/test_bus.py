"""Turns on a bus, and what silent units may take of it."""

import asyncio

import pytest

from agent.site.transports.bus import Bus, Priority, SilentUnits


async def take(bus: Bus, priority: Priority, name: str, order: list[str]) -> None:
    async with bus.turn(priority):
        order.append(name)
        await asyncio.sleep(0)


async def test_urgent_goes_first_and_equals_in_order_of_arrival() -> None:
    bus, order = Bus(), list[str]()
    async with bus.turn(Priority.SLOW):
        arrivals = [
            (Priority.PROBE, "probe"),
            (Priority.SLOW, "slow"),
            (Priority.FAST, "fast 1"),
            (Priority.COMMAND, "command"),
            (Priority.FAST, "fast 2"),
        ]
        tasks = [asyncio.create_task(take(bus, priority, name, order)) for priority, name in arrivals]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["command", "fast 1", "fast 2", "slow", "probe"]


async def test_cancelling_who_waits_or_has_just_been_called_loses_no_turn() -> None:
    bus, order = Bus(), list[str]()
    async with bus.turn(Priority.NORMAL):
        called = asyncio.create_task(take(bus, Priority.FAST, "called", order))
        waiting = asyncio.create_task(take(bus, Priority.NORMAL, "waiting", order))
        last = asyncio.create_task(take(bus, Priority.SLOW, "last", order))
        await asyncio.sleep(0)
        waiting.cancel()
    called.cancel()  # its turn was handed over when the block above ended
    await asyncio.gather(called, waiting, last, return_exceptions=True)
    assert order == ["last"]
    async with asyncio.timeout(1), bus.turn(Priority.NORMAL):
        pass


async def test_a_failing_turn_passes_on() -> None:
    bus = Bus()
    with pytest.raises(RuntimeError):
        async with bus.turn(Priority.NORMAL):
            raise RuntimeError
    async with asyncio.timeout(1), bus.turn(Priority.NORMAL):
        pass


def test_probes_of_silent_units_take_five_percent_together() -> None:
    units = SilentUnits()
    units.unanswered(1, now_s=0.0, cost_s=0.5)
    assert 1 not in units
    units.unanswered(1, now_s=1.0, cost_s=0.5)
    assert 1 in units
    assert units.wait_s(1, 1.0) == 0.0  # the first probe is free
    units.unanswered(1, now_s=2.0, cost_s=0.5)
    assert units.wait_s(1, 2.0) == pytest.approx(10.0)
    assert units.wait_s(2, 2.0) == 0.0  # a healthy unit never waits
    for _ in range(2):
        units.unanswered(2, now_s=3.0, cost_s=0.5)
    assert units.wait_s(2, 3.0) == pytest.approx(9.0)  # one budget for the whole bus
    units.answered(1)
    assert units.wait_s(1, 3.0) == 0.0
