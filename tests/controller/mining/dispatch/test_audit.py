"""The certificate: weak duality by other code, and violations that must be seen."""

from dataclasses import replace

import numpy as np
import pytest

from controller.mining.dispatch import decision as decision_module
from controller.mining.dispatch.audit import audit
from controller.mining.dispatch.decision import DecisionUnsound, decide
from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.tree import NO_LIMIT_W


def bound_by_hand(problem: Problem, multiplier: np.ndarray) -> float:
    """Σ best of each miner at its price + Σ multiplier · room, miner by miner."""
    total = 0.0
    for miner in range(len(problem)):
        price = sum(multiplier[feeder] for feeder in problem.tree.chain(int(problem.feeder[miner])))
        if problem.free[miner]:
            modes = range(int(problem.high[miner]) + 1)
            total += max(problem.value_usd_h[m, miner] - price * problem.power_w[m, miner] for m in modes)
        else:
            total -= price * problem.locked_w[miner]
    for feeder in np.flatnonzero(multiplier):
        total += multiplier[feeder] * problem.limit_w[feeder]
    return total


@pytest.mark.parametrize("seed", range(8))
def test_any_multipliers_bound_the_optimum(problem, seed: int) -> None:
    instance = problem(seed, miners=20, feeders=6, locked=0.2, slack=0.3)
    decision = decide(instance)
    best = decision.certificate.objective_usd_h
    random = np.random.default_rng(seed)
    for _ in range(20):
        multiplier = random.random(6) * 60e-6 * (random.random(6) < 0.5) * (instance.cap_w < NO_LIMIT_W)
        price = np.array([sum(multiplier[list(instance.tree.chain(n))]) for n in range(6)])
        certificate = audit(instance, decision.mode, price)
        assert certificate.bound_usd_h == pytest.approx(bound_by_hand(instance, multiplier), abs=1e-9)
        assert certificate.bound_usd_h >= best - 1e-9


def test_sees_an_overload_and_a_forbidden_mode(problem) -> None:
    instance = problem(4, miners=12, feeders=3, slack=0.2)
    over = audit(instance, np.where(instance.free, instance.high, 0), np.zeros(3))
    assert not over.holds
    assert "its limit is" in over.violations[0]
    forbidden = replace(instance, high=np.zeros(12, np.int64))
    assert "may not take" in audit(forbidden, instance.high, np.zeros(3)).violations[-1]


def test_nothing_unsound_is_released(problem, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = problem(4, miners=12, feeders=3, slack=0.2)

    def spoil(draft, *_):
        draft.mode[:] = instance.high

    monkeypatch.setattr(decision_module, "improve", spoil)
    with pytest.raises(DecisionUnsound, match="its limit is") as refusal:
        decide(instance)
    assert refusal.value.code == "safety.decision-unsound"


def test_a_ratio_to_no_profit_is_not_given(problem) -> None:
    instance = problem(6, miners=5, feeders=1, energy_usd_wh=500e-6)
    certificate = decide(instance).certificate
    assert certificate.bound_usd_h <= 0
    assert certificate.gap_pct is None
    assert certificate.gap_usd_h == pytest.approx(0, abs=1e-9)
