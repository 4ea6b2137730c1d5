import itertools
import random

from agent.site.telemetry.schedule import Periods, Schedule


def drained(schedule: Schedule, now_s: float, limit: int = 10_000) -> list[tuple[str, bool]]:
    return list(schedule.take_due(now_s, limit))


def make(count: int, **periods: float) -> Schedule:
    schedule = Schedule(Periods(**periods), random.Random(1))
    for number in range(count):
        schedule.add(f"d{number}", 0.0)
    return schedule


def test_first_polls_are_spread_over_one_period_and_read_everything():
    schedule = make(1_000, warm_s=5.0)
    by_second = [len(drained(schedule, second)) for second in (1, 2, 3, 4, 5)]
    assert sum(by_second) == 1_000
    assert all(150 < count < 250 for count in by_second)


def test_every_device_keeps_its_period_and_reads_everything_now_and_then():
    schedule = make(20, warm_s=5.0, full_every_s=60.0)
    polls: dict[str, list[tuple[float, bool]]] = {}
    now_s = 0.0
    while now_s < 120:
        for device, full in drained(schedule, now_s):
            polls.setdefault(device, []).append((now_s, full))
            schedule.done(device, now_s, reached=True, full=full)
        now_s += 0.1
    for times in polls.values():
        gaps = [b[0] - a[0] for a, b in itertools.pairwise(times)]
        assert max(gaps) < 5.3
        assert 2 <= sum(full for _, full in times) <= 4


def test_a_silent_device_is_asked_less_and_less_and_comes_back_at_once():
    schedule = make(1, warm_s=5.0)
    now_s, tried = 0.0, []
    while now_s < 400:
        for device, full in drained(schedule, now_s):
            tried.append(now_s)
            schedule.done(device, now_s, reached=False, full=full)
        now_s += 0.5
    assert 8 <= len(tried) <= 14
    assert tried[-1] - tried[-2] > 45
    while not (due := drained(schedule, now_s)):
        now_s += 0.5
    schedule.done(due[0][0], now_s, reached=True, full=False)
    assert drained(schedule, now_s + 5.1)


def test_an_ordered_device_is_asked_every_second_for_a_while():
    schedule = make(1, hot_s=1.0, warm_s=5.0, stay_hot_s=10.0)
    for device, full in drained(schedule, 5.0):
        schedule.done(device, 5.0, reached=True, full=full)
    schedule.heat("d0", 5.5)
    now_s, count = 5.5, 0
    while now_s < 15.5:
        for device, full in drained(schedule, now_s):
            count += 1
            schedule.done(device, now_s, reached=True, full=full)
        now_s += 0.1
    assert 9 <= count <= 11


def test_the_limit_leaves_the_rest_due():
    schedule = make(50)
    assert len(drained(schedule, 10.0, limit=20)) == 20
    assert len(drained(schedule, 10.0)) == 30


def test_an_interrupted_poll_is_tried_again_soon():
    schedule = make(1)
    drained(schedule, 5.0)
    assert schedule.next_due_s() is None
    schedule.interrupted("d0", 5.0)
    assert schedule.next_due_s() == 6.0


def test_a_device_that_is_always_hot_keeps_the_short_period_whatever_else_happens():
    schedule = Schedule(Periods(hot_s=1.0, warm_s=5.0), random.Random(1))
    schedule.add("meter", 0.0, always_hot=True)
    schedule.heat("meter", 0.0)
    now_s, polls = 0.0, 0
    while now_s < 120.0:
        for device, full in drained(schedule, now_s):
            polls += 1
            schedule.done(device, now_s, reached=True, full=full)
        now_s += 0.1
    assert polls > 110
