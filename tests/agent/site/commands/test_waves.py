"""An order that adds load is judged on what the orders before it have changed."""

import asyncio

import pytest

from agent.site.devices.ports import Effect, ReadBack
from shared.actions import Sleep, Wake
from shared.clock import Instant
from shared.states import OpState
from shared.wire.command import Order
from tests.agent.site.commands.house import FIRST, SECOND, House
from tests.agent.site.scene import good_reading


class Waiting(House):
    """Its next image comes when `judged` is set; `asked_s` are the moments it must be younger than."""

    def __init__(self, folder) -> None:
        self.judged = asyncio.Event()
        self.asked_s: list[float] = []
        super().__init__(folder)

    async def _at_once(self, monotonic_s: float) -> None:
        self.asked_s.append(monotonic_s)
        if monotonic_s > 0:
            await self.judged.wait()


@pytest.fixture
async def house(tmp_path):
    house = Waiting(tmp_path)
    yield house
    await house.aclose()


async def test_a_wake_waits_for_an_image_that_shows_the_sleep_before_it(house):
    before_s = house.clock.monotonic_s()
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.until("accepted", "acknowledged", "confirmed")
    assert house.asked_s == [], "what adds nothing waits for nothing"
    await house.send(house.command(Order(SECOND, Wake())))
    async with asyncio.timeout(5):
        while not house.asked_s:
            await asyncio.sleep(0.01)
    assert house.asked_s[0] > before_s
    assert house.drivers[SECOND].applied == []
    house.judged.set()
    await house.until("accepted", "acknowledged", "confirmed")


async def test_the_first_order_of_a_life_waits_for_nothing(house):
    await house.send(house.command(Order(FIRST, Wake())))
    await house.until("accepted", "acknowledged", "confirmed")


async def test_what_a_read_back_saw_stands_in_the_next_image(house):
    asleep = good_reading(OpState.SLEEPING, power_w=25.0)

    async def read_back(action, before):
        return ReadBack(Effect.SHOWN, "rate 0", reading=asleep)

    house.drivers[FIRST].read_back = read_back
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.until("accepted", "acknowledged", "confirmed")
    frozen = house.live.freeze(1, Instant(house.clock.now_ms(), house.clock.monotonic_s()))
    assert frozen.miners[FIRST].reading.op_state is OpState.SLEEPING
