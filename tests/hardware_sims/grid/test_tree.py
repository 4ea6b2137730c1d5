import numpy as np
import pytest

from hardware_sims.grid import Tree
from shared.errors import SettingInvalid
from shared.site import Feeder, Site


def site(*feeders: Feeder) -> Site:
    return Site(id="t", name="t", feeder=feeders)


def leg(name: str, parent: str, phase: str) -> Feeder:
    return Feeder(id=name, kind="leg", parent=parent, phases=1, phase=phase, rating_a=125.0, voltage_v=240.0)


SMALL = site(
    Feeder(id="root", kind="site"),
    Feeder(id="tx", kind="transformer", parent="root", rating_a=200.0, voltage_v=415.0, unmetered_w=900),
    leg("a", "tx", "L1"),
    leg("b", "tx", "L2"),
)


def small(power_w: list[float], feeders: list[str]) -> Tree:
    tree = Tree(SMALL, feeders, seed=1)
    tree.step(0.0, np.array(power_w))
    return tree


def test_each_feeder_carries_its_children_its_unmetered_load_and_its_own_loss():
    tree = small([3000.0, 2000.0, 1000.0], ["a", "a", "b"])
    rated_leg_w, rated_tx_w = 125 * 240, 200 * 415 * np.sqrt(3)
    a_w = 5000 + 0.004 / rated_leg_w * 5000**2
    b_w = 1000 + 0.004 / rated_leg_w * 1000**2
    phases = np.array([a_w + 300, b_w + 300, 300.0])
    expected = phases + 0.0015 * rated_tx_w / 3 + 0.010 / (rated_tx_w / 3) * phases**2
    assert tree.total_w("a") == pytest.approx(a_w)
    assert tree.power_w[tree.index["tx"]] == pytest.approx(expected)
    assert tree.total_w("root") == pytest.approx(expected.sum())


def test_a_single_phase_leg_loads_its_own_phase_only():
    tree = small([3000.0], ["a"])
    assert tree.power_w[tree.index["a"], 1:] == pytest.approx([0.0, 0.0])
    assert tree.voltage_v[tree.index["a"], 1:] == pytest.approx([0.0, 0.0])
    assert tree.current_a[tree.index["a"], 0] == pytest.approx(3000 / 240 / 0.99, rel=0.02)


def test_voltage_sags_with_load():
    idle, loaded = small([0.0], ["a"]), small([25_000.0], ["a"])
    assert loaded.leg_voltage_v("a") < idle.leg_voltage_v("a") - 3


def test_energy_integrates_power():
    tree = small([3000.0], ["a"])
    for _ in range(60):
        tree.step(60.0, np.array([3000.0]))
    assert tree.energy_wh[tree.index["a"]] == pytest.approx(tree.total_w("a"))


def test_an_open_breaker_takes_voltage_and_load_from_everything_below():
    tree = small([3000.0, 1000.0], ["a", "b"])
    tree.open_breakers({"tx"})
    assert not tree.miner_has_mains.any()
    tree.step(1.0, np.zeros(2))
    assert tree.total_w("root") == 0
    assert tree.leg_voltage_v("a") == 0
    tree.open_breakers({"b"})
    assert tree.miner_has_mains.tolist() == [True, False]
    assert tree.has_mains("tx")


def test_sums_are_close_to_the_miners_of_a_whole_site(simulation, run_for):
    run_for(simulation, 60)
    miners_w = simulation.fleet.columns.power_w.sum()
    unmetered_w = sum(feeder.unmetered_w for feeder in simulation.site.feeder)
    total_w = simulation.tree.total_w("site")
    assert 0 < total_w - miners_w - unmetered_w < 0.03 * total_w


def test_one_phase_needs_a_name():
    with pytest.raises(SettingInvalid, match="L1, L2 or L3"):
        Tree(site(Feeder(id="x", kind="leg", phases=1)), [], seed=1)
