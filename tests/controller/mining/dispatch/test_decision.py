"""The decision against brute force, against HiGHS, and against limits of any shape."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.dispatch_fleet import fleet_problem
from benchmarks.dispatch_highs import solve_lp, solve_milp
from controller.mining.dispatch.decision import decide
from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.tree import NO_LIMIT_W


def best_of_all(problem: Problem) -> float:
    """The optimum by trying everything: loads by walking parents, in plain Python."""
    parent = problem.tree.parent.tolist()
    best = -np.inf
    choices = [range(int(high) + 1) if free else [0] for high, free in zip(problem.high, problem.free, strict=True)]
    for modes in product(*choices):
        load = problem.reserved_w.tolist()
        for feeder in range(len(parent) - 1, -1, -1):
            if parent[feeder] >= 0:
                load[parent[feeder]] += load[feeder]
        value = 0.0
        for miner, mode in enumerate(modes):
            free = bool(problem.free[miner])
            watts = int(problem.power_w[mode, miner]) if free else int(problem.locked_w[miner])
            value += float(problem.value_usd_h[mode, miner]) if free else 0.0
            at = int(problem.feeder[miner])
            while at >= 0:
                load[at] += watts
                at = parent[at]
        if all(carried <= limit for carried, limit in zip(load, problem.limit_w.tolist(), strict=True)):
            best = max(best, value)
    return best


@pytest.mark.parametrize("seed", range(25))
def test_stands_between_the_true_optimum_and_a_little_below_it(problem, seed: int) -> None:
    small = problem(seed, miners=5, feeders=4, locked=0.15, switch_usd_h=0.01 * (seed % 2))
    decision = decide(small)
    optimum = best_of_all(small)
    assert decision.certificate.holds
    assert decision.certificate.objective_usd_h <= optimum + 1e-9
    assert decision.certificate.bound_usd_h >= optimum - 1e-9
    assert decision.certificate.objective_usd_h >= optimum - 0.12 * abs(optimum)


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_is_the_optimum_of_the_relaxation_and_prices_are_its_duals(problem, seed: int) -> None:
    instance = problem(seed, miners=120, feeders=25, switch_usd_h=0.02 * (seed % 3), slack=0.3)
    decision, yardstick = decide(instance), solve_lp(instance)
    assert decision.certificate.bound_usd_h == pytest.approx(yardstick.objective_usd_h, abs=1e-7)
    used = decision.certificate.load_w > instance.base_load_w  # elsewhere several duals are right
    compared = (instance.cap_w < NO_LIMIT_W) & used
    assert decision.price_usd_wh[compared] == pytest.approx(yardstick.price_usd_wh[compared], abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_near_the_integer_optimum_of_a_small_site(problem, seed: int) -> None:
    instance = problem(seed, miners=60, feeders=10, slack=0.4, switch_usd_h=0.01 * (seed % 2))
    decision, yardstick = decide(instance), solve_milp(instance, time_limit_s=5, relative_gap=1e-5)
    assert decision.certificate.objective_usd_h <= yardstick.bound_usd_h + 1e-6
    assert decision.certificate.objective_usd_h >= yardstick.objective_usd_h * 0.985


@pytest.mark.parametrize(("scenario", "most_pct"), [("tight", 0.02), ("mild", 0.1), ("dear", 0.02)])
def test_the_realistic_fleet_stays_within_a_tenth_of_a_percent(scenario: str, most_pct: float) -> None:
    certificate = decide(fleet_problem(5_000, scenario)).certificate
    assert certificate.holds
    assert certificate.gap_pct is not None
    assert certificate.gap_pct <= most_pct


@given(
    seed=st.integers(0, 2**32 - 1),
    miners=st.integers(0, 40),
    feeders=st.integers(1, 12),
    locked=st.sampled_from([0.0, 0.3, 1.0]),
    switch=st.sampled_from([0.0, 0.05]),
    energy=st.sampled_from([-40e-6, 0.0, 30e-6, 500e-6]),
    slack=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_breaks_a_limit(problem, seed, miners, feeders, locked, switch, energy, slack) -> None:
    instance = problem(seed, miners, feeders, locked=locked, switch_usd_h=switch, energy_usd_wh=energy, slack=slack)
    decision = decide(instance)
    assert decision.certificate.holds
    assert (decision.certificate.load_w <= instance.limit_w).all()
    assert decision.certificate.bound_usd_h >= decision.certificate.objective_usd_h - 1e-9
    assert (decision.mode[instance.free] <= instance.high[instance.free]).all()


def test_the_same_problem_gives_the_same_decision_and_equal_machines_keep_their_places(problem) -> None:
    instance = problem(3, miners=30, feeders=6)
    again = problem(3, miners=30, feeders=6)
    assert (decide(instance).mode == decide(again).mode).all()
    twins = replace(
        instance,
        power_w=np.repeat(instance.power_w[:, :1], 30, axis=1),
        hashrate_ths=np.repeat(instance.hashrate_ths[:, :1], 30, axis=1),
        high=np.repeat(instance.high[:1], 30),
    )
    assert (decide(twins).mode == decide(replace(twins, energy_usd_wh=twins.energy_usd_wh * 1.0001)).mode).all()


def test_a_negative_price_may_pay_for_watts_that_earn_less_hash(problem) -> None:
    instance = replace(problem(1, miners=10, feeders=2, energy_usd_wh=-100e-6), cap_w=np.full(2, NO_LIMIT_W))
    worse = instance.hashrate_ths.copy()
    worse[-1] *= 0.5
    instance = replace(instance, hashrate_ths=worse)
    decision = decide(instance)
    assert decision.certificate.gap_usd_h == pytest.approx(0, abs=1e-9)
    assert (instance.power_w[decision.mode, np.arange(10)] == instance.power_w[-1]).all()


def test_what_cannot_fit_is_named_and_everything_below_it_is_at_its_lowest(problem) -> None:
    instance = problem(2, miners=20, feeders=3, slack=1.0)
    cap_w = instance.cap_w.copy()
    cap_w[0] = 5
    instance = replace(instance, cap_w=cap_w)
    decision = decide(instance)
    excess = decision.infeasible(instance)
    assert excess["f0"] == instance.base_load_w[0] - 5
    below = (instance.feeder < instance.tree.end[0]) & instance.free
    drawn = instance.power_w[decision.mode, np.arange(20)]
    assert (drawn[below] == instance.power_w[0, below]).all()


def test_a_previous_decision_that_is_no_worse_stays(problem) -> None:
    instance = problem(7, miners=25, feeders=5)
    best = decide(instance).mode
    settled = replace(instance, current=best, switch_usd_h=5.0)
    assert (decide(settled, previous=best).mode == best).all()


def test_stopping_early_is_still_feasible(problem) -> None:
    instance = problem(9, miners=60, feeders=10, slack=0.2)
    early, full = decide(instance, enough=lambda: True), decide(instance)
    assert early.certificate.holds
    assert early.certificate.objective_usd_h <= full.certificate.objective_usd_h + 1e-12
