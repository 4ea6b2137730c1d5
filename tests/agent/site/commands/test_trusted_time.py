"""Signed time moves forward only, and one wrong date does not shut the door."""

import pytest

from agent.site.commands.trusted_time import MOST_AHEAD_MS, TrustedTime
from shared.actions import Sleep
from shared.errors import Denied
from shared.wire.command import Order
from tests.agent.site.commands.house import FIRST, SECOND, House
from tests.agent.site.scene import ManualClock

TEN_YEARS_MS = 10 * 365 * 86_400_000


async def test_a_command_from_the_future_is_refused_and_the_next_one_is_not(tmp_path):
    house = House(tmp_path)
    house.synchronised = True
    future_ms = house.clock.now_ms() + TEN_YEARS_MS
    await house.send(house.command(Order(FIRST, Sleep()), issued_at_ms=future_ms, expires_at_ms=future_ms + 30_000))
    assert await house.until("refused") == [("refused", "command.ahead-of-time")]
    assert not house.drivers[FIRST].applied
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.until("accepted", "acknowledged", "confirmed")
    await house.aclose()


async def test_signed_time_outlives_the_agent(tmp_path):
    """The clock is wrong after the restart: an hour behind what was signed before."""
    house = House(tmp_path)
    house.synchronised = True
    issued_ms = house.clock.now_ms() + MOST_AHEAD_MS - 10_000
    await house.send(house.command(Order(FIRST, Sleep()), issued_at_ms=issued_ms, expires_at_ms=issued_ms + 30_000))
    await house.until("accepted", "acknowledged", "confirmed")
    await house.aclose()
    reborn = House(tmp_path, house.operator)
    reborn.counter = house.counter
    reborn.service.resume()
    assert reborn.time.now_ms() >= issued_ms
    await reborn.send(reborn.command(Order(SECOND, Sleep()), expires_at_ms=issued_ms - 1))
    assert (await reborn.until("refused"))[-1] == ("refused", "command.expired")
    await reborn.aclose()


def test_a_disciplined_clock_accepts_a_little_and_refuses_more():
    time = TrustedTime(ManualClock(1_000_000), lambda: True)
    time.heard(1_000_000 + MOST_AHEAD_MS)
    assert time.vouched_ms == time.now_ms() == 1_000_000 + MOST_AHEAD_MS
    with pytest.raises(Denied) as caught:
        time.heard(1_000_001 + 2 * MOST_AHEAD_MS)
    assert caught.value.rule == "command.ahead-of-time"
    assert time.now_ms() == 1_000_000 + MOST_AHEAD_MS


def test_a_clock_without_discipline_is_led_for_this_life_only():
    """A box without a battery wakes up in 1970 and learns the time from the controller."""
    time = TrustedTime(ManualClock(0), lambda: False)
    time.heard(TEN_YEARS_MS)
    assert time.now_ms() == TEN_YEARS_MS
    assert time.vouched_ms == 0


def test_the_floor_goes_on_with_monotonic_time_while_the_wall_clock_stands_still():
    clock = ManualClock(0)
    time = TrustedTime(clock, lambda: False)
    time.resume(TEN_YEARS_MS)
    clock.s += 60.0
    assert time.now_ms() == TEN_YEARS_MS + 60_000
    time.heard(TEN_YEARS_MS)  # an older message
    assert time.now_ms() == TEN_YEARS_MS + 60_000
