"""Reasons in classes and in words."""

from dataclasses import replace

import numpy as np

from controller.mining.dispatch.decision import decide
from controller.mining.dispatch.explain import Reason, explain
from controller.mining.dispatch.problem import Lock


def test_every_miner_has_a_reason_that_its_numbers_bear_out(problem) -> None:
    instance = problem(21, miners=80, feeders=10, locked=0.1, slack=0.3)
    told = explain(instance, decide(instance))
    full = told.reason == Reason.FEEDER_FULL
    assert full.any()
    assert (told.next_step_usd_mwh[full] <= told.price_usd_mwh[full] + 1e-9).all()
    assert (told.decision.certificate.multiplier_usd_wh[told.binding[full]] > 0).all()
    assert (told.reason[~instance.free] == Reason.LOCKED).all()
    for miner in range(80):
        assert told.sentence(miner)


def test_a_full_feeder_is_named_with_its_price(problem) -> None:
    instance = problem(21, miners=80, feeders=10, slack=0.3)
    told = explain(instance, decide(instance))
    miner = int(np.flatnonzero(told.reason == Reason.FEEDER_FULL)[0])
    feeder = instance.tree.ids[told.binding[miner]]
    assert f"feeder {feeder} is full and worth {told.price_usd_mwh[miner]:.2f} USD/MWh" in told.sentence(miner)
    assert "one more kW is worth" in told.feeder_sentence(int(told.binding[miner]))


def test_dear_energy_cheap_energy_locks_and_forbidden_modes(problem) -> None:
    instance = problem(22, miners=6, feeders=1, slack=1.1)
    dear = explain(replace(instance, energy_usd_wh=900e-6), decide(replace(instance, energy_usd_wh=900e-6)))
    assert (dear.reason == Reason.UNPROFITABLE).all()
    assert "no mode earns its energy" in dear.sentence(0)
    roomy = replace(instance, cap_w=instance.cap_w * 10, energy_usd_wh=0.0)
    assert (explain(roomy, decide(roomy)).reason == Reason.BEST).all()
    capped = replace(roomy, high=np.zeros(6, np.int64))
    assert (explain(capped, decide(capped)).reason == Reason.HELD_DOWN).all()
    locked = replace(roomy, free=np.zeros(6, np.bool_), lock=np.full(6, Lock.OPERATOR, np.int8))
    assert "a person holds it" in explain(locked, decide(locked)).sentence(0)
