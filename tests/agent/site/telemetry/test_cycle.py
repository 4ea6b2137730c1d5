"""Whoever waits for an image gets one that was judged, and younger than what it waits for."""

import asyncio

from agent.site.safety import Interlocks
from agent.site.telemetry.cycle import Cycle
from agent.site.telemetry.live import Live
from agent.site.telemetry.surroundings import Surroundings
from tests.agent.site.scene import small_site


class NoAutonomy:
    def decide(self, *_facts, **_named):
        return []


async def _store(_kind, _message, _samples):
    return 1


async def _obey(demands):
    assert demands == []


async def _host(_image, _cycle_ms):
    return None


def cycle_of(clock) -> Cycle:
    surroundings = Surroundings(
        store=_store,
        urgent=lambda _events: True,
        obey=_obey,
        plan=lambda: None,
        silent_s=lambda: 0.0,
        trusted_ms=clock.now_ms,
        host=_host,
        inventory=lambda: None,
        inventory_told=lambda _message: None,
        latest=lambda _batch: None,
        alive=lambda _progress: None,
        boot_id="test",
    )
    return Cycle(Live(), Interlocks(small_site()), NoAutonomy(), surroundings, clock, 1.0)


async def test_an_image_that_is_younger_is_waited_for_and_one_that_is_there_is_not(clock):
    cycle = cycle_of(clock)
    await cycle.image_after(clock.monotonic_s() - 1)
    waiting = asyncio.create_task(cycle.image_after(clock.monotonic_s()))
    await cycle.once(1)
    await asyncio.sleep(0)
    assert not waiting.done(), "sampled at that very moment, not after it"
    clock.advance(1.0)
    await cycle.once(2)
    async with asyncio.timeout(1):
        await waiting
    assert cycle.image.cycle == 2
