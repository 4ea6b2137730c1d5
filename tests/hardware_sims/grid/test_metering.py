import math

import numpy as np
import pytest

from hardware_sims.faults import Fault, FaultDetail, FaultState
from hardware_sims.grid import Metering, Tree
from shared.site import Feeder, Site

SITE = Site(
    id="t",
    name="t",
    feeder=(Feeder(id="root", kind="site", rating_a=400.0, voltage_v=415.0),),
)


@pytest.fixture
def faults() -> FaultState:
    return FaultState()


@pytest.fixture
def tree() -> Tree:
    made = Tree(SITE, ["root"], seed=1)
    made.step(0.0, np.array([90_000.0]))
    return made


def metering(tree: Tree, faults: FaultState, class_pct: float = 1.0, seed: int = 1) -> Metering:
    made = Metering(tree, ["root"], [class_pct], [faults], seed=seed)
    made.step(0.0)
    return made


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("class_pct", [0.5, 1.0])
def test_a_meter_errs_within_its_class(tree, faults, seed, class_pct):
    sample = metering(tree, faults, class_pct, seed).sample(0)
    assert sample.total_w == pytest.approx(tree.total_w("root"), rel=class_pct / 100 + 0.002)


def test_the_error_stays_while_the_noise_moves(tree, faults):
    made = metering(tree, faults)
    readings = []
    for _ in range(400):
        made.step(1.0)
        readings.append(made.sample(0).total_w)
    assert np.mean(readings) == pytest.approx(tree.total_w("root") * made.gain[0], rel=1e-4)
    assert 0 < np.std(readings) < 0.001 * np.mean(readings)


def test_power_current_voltage_and_factor_belong_together(tree, faults):
    sample = metering(tree, faults).sample(0)
    for phase in range(3):
        apparent_va = sample.voltage_v[phase] * sample.current_a[phase]
        assert sample.power_w[phase] == pytest.approx(apparent_va * sample.power_factor[phase], rel=0.01)
    assert sample.total_power_factor == pytest.approx(0.99, abs=0.01)
    assert sample.frequency_hz == pytest.approx(60, abs=0.1)


def test_energy_counts_what_is_measured(tree, faults):
    made = metering(tree, faults)
    before = made.sample(0).import_wh
    for _ in range(60):
        made.step(60.0)
    counted = made.sample(0).import_wh - before
    assert counted == pytest.approx(tree.total_w("root") * made.gain[0], rel=1e-6)


def test_a_reversed_transformer_turns_one_phase(tree, faults):
    made = metering(tree, faults)
    right = made.sample(0)
    faults.set(Fault.CT_REVERSED, FaultDetail(phases=(2,)))
    made.step(3600.0)
    wrong = made.sample(0)
    assert wrong.power_w[1] == pytest.approx(-right.power_w[1], rel=0.01)
    assert wrong.total_w == pytest.approx(right.total_w / 3, rel=0.02)
    assert wrong.current_a[1] > 0
    assert wrong.phase_import_wh[1] == right.phase_import_wh[1]
    faults.clear()
    made.step(1.0)
    assert made.sample(0).power_w[1] > 0


@pytest.mark.parametrize("phases", [(1, 3), (1, 2, 3)])
def test_any_set_of_transformers_may_be_reversed(tree, faults, phases):
    made = metering(tree, faults)
    right_w = made.sample(0).power_w
    faults.set(Fault.CT_REVERSED, FaultDetail(phases=phases))
    made.step(1.0)
    signs = [math.copysign(1, wrong_w / watts) for wrong_w, watts in zip(made.sample(0).power_w, right_w, strict=True)]
    assert signs == [-1 if phase in phases else 1 for phase in (1, 2, 3)]


def test_power_that_flows_back_counts_as_export(tree, faults):
    tree.step(0.0, np.array([-90_000.0]))
    made = metering(tree, faults)
    imported_wh = made.sample(0).import_wh
    made.step(3600.0)
    sample = made.sample(0)
    assert sample.export_wh == pytest.approx(-sample.total_w, rel=0.01)
    assert sample.import_wh == imported_wh


def test_a_frozen_meter_repeats_everything(tree, faults):
    made = metering(tree, faults)
    faults.set(Fault.FROZEN)
    before = made.sample(0)
    made.step(3600.0)
    assert made.sample(0) == before
    faults.clear()
    assert made.sample(0) != before


def test_a_wrong_unit_scales_power_and_leaves_voltage(tree, faults):
    made = metering(tree, faults)
    right = made.sample(0)
    faults.set(Fault.WRONG_UNIT, FaultDetail(factor=0.001))
    assert made.sample(0).total_w == pytest.approx(right.total_w / 1000)
    assert made.sample(0).voltage_v == right.voltage_v
    assert math.isclose(made.sample(0).total_power_factor, right.total_power_factor)
