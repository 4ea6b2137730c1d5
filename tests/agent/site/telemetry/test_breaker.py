"""Who does not answer is asked less and less often; who stands elsewhere is asked at once."""

import random

import pytest

from agent.site.telemetry.breaker import Breaker
from agent.site.telemetry.schedule import Periods, Schedule


def test_it_opens_after_two_failures_and_its_pause_doubles_up_to_a_minute():
    breaker = Breaker(random.Random(1))
    breaker.failed(0.0)
    assert breaker.closed
    assert breaker.open_until_s is None
    pauses = []
    for _ in range(7):
        breaker.failed(100.0)
        assert not breaker.closed
        pauses.append(breaker.open_until_s - 100.0)
    for pause_s, nominal_s in zip(pauses, (5, 10, 20, 40, 60, 60, 60), strict=True):
        assert 0.8 * nominal_s <= pause_s <= 1.2 * nominal_s
    breaker.succeeded()
    assert breaker.closed
    assert breaker.open_until_s is None


def test_it_never_overflows_however_long_a_device_is_away():
    breaker = Breaker(random.Random(1))
    for _ in range(5_000):
        breaker.failed(0.0)
    assert breaker.open_until_s <= 72.0


@pytest.mark.parametrize("busy", [False, True])
def test_a_device_that_is_added_again_is_asked_at_once(busy):
    schedule = Schedule(Periods(warm_s=5.0), random.Random(1))
    schedule.add("m", 0.0)
    now_s = 6.0
    for _ in range(6):
        now_s += 100.0
        assert list(schedule.take_due(now_s, 1))
        schedule.done("m", now_s, reached=False, full=False)
    if busy:
        now_s += 100.0
        assert list(schedule.take_due(now_s, 1))
    schedule.add("m", now_s)
    if busy:  # the old line's last poll fails after the move
        schedule.done("m", now_s, reached=False, full=True)
        assert schedule.next_due_s() <= now_s + 5.0
    else:
        assert list(schedule.take_due(now_s, 1)) == [("m", True)]
