"""The relaxation against the greedy as it is written down: one step after the other, in falling slope."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.mining.dispatch.hull import Steps, steps_of
from controller.mining.dispatch.problem import Problem
from controller.mining.dispatch.relax import relax


def greedy_w(problem: Problem, steps: Steps) -> list[int]:
    """What the plain greedy takes of each step; a feeder that cut a step gives no more."""
    room = (problem.limit_w - problem.base_load_w).tolist()
    taken = [0] * len(steps.miner)
    for step in np.lexsort((np.arange(len(taken)), -steps.slope_usd_wh)).tolist():
        path = problem.tree.chain(int(problem.feeder[steps.miner[step]]))
        taken[step] = min(int(steps.step_w[step]), *(room[feeder] for feeder in path))
        for feeder in path:
            room[feeder] -= taken[step]
    return taken


@given(
    seed=st.integers(0, 2**32 - 1),
    miners=st.integers(0, 120),
    feeders=st.integers(1, 12),
    switch=st.sampled_from([0.0, 0.05]),
    energy=st.sampled_from([-40e-6, 30e-6]),
    slack=st.sampled_from([0.0, 0.3, 0.7]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_takes_what_the_plain_greedy_takes(problem, seed, miners, feeders, switch, energy, slack) -> None:
    instance = problem(seed, miners, feeders, switch_usd_h=switch, energy_usd_wh=energy, slack=slack, locked=0.1)
    steps = steps_of(instance)
    assert relax(instance, steps).taken_w.tolist() == greedy_w(instance, steps)


@pytest.mark.parametrize("seed", range(6))
def test_equal_steps_and_one_that_dwarfs_all_others_keep_their_order(problem, seed: int) -> None:
    instance = problem(seed, miners=200, feeders=3, slack=0.4)
    power_w, hashrate_ths = instance.power_w.copy(), instance.hashrate_ths.copy()
    power_w[:, 10:60], hashrate_ths[:, 10:60] = power_w[:, 10:11], hashrate_ths[:, 10:11]
    hashrate_ths[1:, 5] *= 1e9
    high = instance.high.copy()
    high[10:60] = high[10]
    instance = replace(instance, power_w=power_w, hashrate_ths=hashrate_ths, high=high)
    steps = steps_of(instance)
    assert relax(instance, steps).taken_w.tolist() == greedy_w(instance, steps)
