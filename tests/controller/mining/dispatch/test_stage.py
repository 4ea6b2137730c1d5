"""The way to a decision: downs first, waves that every feeder carries at every moment."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.mining.dispatch.decision import decide
from controller.mining.dispatch.stage import Pace, first_wave, stage


@given(seed=st.integers(0, 2**32 - 1), wave=st.sampled_from([1, 3, 50]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_feeder_is_overloaded_at_any_moment_of_the_way(problem, seed: int, wave: int) -> None:
    instance = problem(seed, miners=30, feeders=8, locked=0.2)
    start = decide(replace(instance, energy_usd_wh=60e-6)).mode
    instance = replace(instance, current=start)
    goal = decide(instance).mode
    transition = stage(instance, goal, instance.load_w(start), Pace(wave_miners=wave, wave_w=5_000))
    assert not transition.blocked.size
    mode = start.copy()
    mode[transition.downs] = goal[transition.downs]
    for group in transition.waves:
        assert group.size <= wave
        mode[group] = goal[group]
        assert (instance.load_w(mode) <= instance.limit_w).all()
    assert (mode[instance.free] == goal[instance.free]).all()


def test_before_downs_are_confirmed_only_room_that_is_there_is_used(problem) -> None:
    instance = problem(11, miners=20, feeders=1, slack=0.5)
    start = decide(replace(instance, hashprice_usd_ths_h=0.0009)).mode
    goal = start.copy()
    goal[np.argmax(start)] = 0
    goal[np.flatnonzero(start == 0)[:1]] = instance.high[np.flatnonzero(start == 0)[:1]]
    full = instance.limit_w.copy()
    transition = stage(replace(instance, current=start), goal, full, Pace())
    assert transition.downs.tolist() == [int(np.argmax(start))]
    assert not first_wave(replace(instance, current=start), goal, full, Pace()).size


def test_a_load_above_the_plan_blocks_the_way_up(problem) -> None:
    instance = replace(problem(11, miners=20, feeders=1, slack=0.5), current=np.zeros(20, np.int64))
    goal = decide(instance).mode
    transition = stage(instance, goal, instance.limit_w + 1, Pace())
    assert transition.waves == ()
    assert transition.blocked.size == int((goal > 0).sum())


def test_downs_go_where_they_cost_least_and_ups_where_they_earn_most(problem) -> None:
    instance = problem(13, miners=20, feeders=1, slack=1.1)
    downs = stage(replace(instance, current=instance.high), np.zeros(20, np.int64), instance.limit_w, Pace()).downs
    per_watt = (instance.value_usd_h[instance.high, np.arange(20)] - instance.value_usd_h[0]) / (
        instance.power_w[instance.high, np.arange(20)] - instance.power_w[0]
    )
    assert per_watt[downs].tolist() == pytest.approx(sorted(per_watt[downs]))
