"""The hull against corners found in exact fractions, one miner at a time."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from controller.mining.dispatch.hull import steps_of
from controller.mining.dispatch.problem import Problem


def corners(problem: Problem, miner: int) -> list[int]:
    """The modes that a climb by the steepest rise passes, the farthest of equals; the lowest mode left out."""
    watts = [int(w) for w in problem.power_w[: problem.high[miner] + 1, miner]]
    value = [Fraction(float(v)) for v in problem.value_usd_h[: len(watts), miner]]
    passed, at = [], 0
    while problem.free[miner]:
        rises = [((value[mode] - value[at]) / (watts[mode] - watts[at]), mode) for mode in range(at + 1, len(watts))]
        slope, mode = max(rises, default=(Fraction(0), 0))
        if slope <= 0:
            break
        passed.append(mode)
        at = mode
    return passed


@pytest.mark.parametrize("switch_usd_h", [0.0, 0.03, 0.4])
@pytest.mark.parametrize("energy_usd_wh", [-20e-6, 0.0, 45e-6])
def test_every_miner_climbs_its_corners(problem, switch_usd_h: float, energy_usd_wh: float) -> None:
    instance = problem(
        13, miners=150, feeders=20, modes=6, locked=0.1, switch_usd_h=switch_usd_h, energy_usd_wh=energy_usd_wh
    )
    steps = steps_of(instance)
    assert (np.diff(steps.miner) >= 0).all()
    for miner in range(150):
        own = steps.miner == miner
        assert steps.mode[own].tolist() == corners(instance, miner)
        assert (np.diff(steps.slope_usd_wh[own]) < 0).all()
        gained = (steps.slope_usd_wh[own] * steps.step_w[own]).sum()
        top = steps.mode[own][-1] if own.any() else 0
        assert gained == pytest.approx(instance.value_usd_h[top, miner] - instance.value_usd_h[0, miner], abs=1e-9)


def test_feeders_have_the_steps_of_the_miners_below_them(problem) -> None:
    instance = problem(14, miners=60, feeders=15, locked=0.2)
    steps = steps_of(instance)
    for feeder in range(15):
        below = (instance.feeder >= feeder) & (instance.feeder < instance.tree.end[feeder])
        expected = np.flatnonzero(below[steps.miner])
        assert expected.tolist() == list(range(steps.first[feeder], steps.end[feeder]))


def test_a_change_costs_only_where_the_mode_changes(problem) -> None:
    instance = problem(15, miners=40, feeders=4, switch_usd_h=0.05)
    unknown = np.arange(40) < 5
    instance = replace(instance, current=np.where(unknown, -1, instance.current))
    without = replace(instance, switch_usd_h=0.0).value_usd_h
    for miner in range(40):
        for mode in range(len(without)):
            cost = 0.0 if mode == instance.current[miner] else 0.05
            assert instance.value_usd_h[mode, miner] == pytest.approx(without[mode, miner] - cost, abs=1e-12)
