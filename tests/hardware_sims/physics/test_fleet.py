import numpy as np
import pytest

from hardware_sims.model import model_list
from hardware_sims.physics import phase, thermal
from hardware_sims.physics.build import HASH_SPREAD, POWER_SPREAD, Wear

ALL = [model.name for model in model_list().model]


def test_wall_power_is_boards_through_the_psu_plus_fans_and_standby(make_fleet, run_for):
    fleet = make_fleet(*ALL)
    run_for(fleet, 300)
    columns = fleet.columns
    boards_w = columns.board_w.sum(axis=1) / columns.psu_efficiency
    fans_w = columns.fan_w * columns.fan_speed**3 * columns.fans.sum(axis=1)
    assert columns.power_w == pytest.approx(boards_w + fans_w + columns.standby_w)


def test_settled_heat_leaves_each_board_as_fast_as_it_comes(make_fleet, run_for):
    fleet = make_fleet(*ALL)
    fleet.ambient.hold(22.0)
    run_for(fleet, 6 * 3600, dt=5.0)
    columns = fleet.columns
    flow = np.where(columns.fans.any(axis=1), columns.fan_speed, thermal.IMMERSED_FLOW)
    conductance = columns.nominal_conductance * (0.1 + 0.9 * flow / thermal.REFERENCE_FAN_SPEED)
    carried_w = conductance[:, None] * (columns.board_temp_c - columns.inlet_c[:, None])
    assert carried_w[columns.boards] == pytest.approx(columns.board_w[columns.boards], rel=0.01)


def test_every_model_settles_near_its_normal_mode(make_fleet, run_for):
    fleet = make_fleet(*ALL)
    fleet.ambient.hold(22.0)
    run_for(fleet, 3600, dt=5.0)
    for row, model in enumerate(fleet.models):
        assert fleet.columns.power_w[row] == pytest.approx(model.modes["normal"], rel=0.12), model.name
        assert fleet.columns.board_ths[row].sum() == pytest.approx(model.nameplate_ths, rel=0.08), model.name


def test_units_of_a_model_differ_as_much_as_stated(make_fleet):
    fleet = make_fleet(*["Antminer S21"] * 800)
    assert fleet.columns.hash_factor.std() == pytest.approx(HASH_SPREAD, rel=0.15)
    assert fleet.columns.power_factor.std() == pytest.approx(POWER_SPREAD, rel=0.15)


def test_same_seed_steps_and_orders_give_the_same_figures(make_fleet, machine_of, run_for):
    def life(seed: int) -> np.ndarray:
        fleet = make_fleet("Antminer S21", "M60S", seed=seed)
        run_for(fleet, 20)
        machine_of(fleet, 1).set_power_limit(3000)
        run_for(fleet, 200)
        columns = fleet.columns
        return np.concatenate([columns.power_w, columns.work_th, columns.accepted, columns.board_temp_c.ravel()])

    assert np.array_equal(life(4), life(4))
    assert not np.array_equal(life(4), life(5))


def test_energy_is_power_over_time(make_fleet, run_for):
    fleet = make_fleet("Antminer S21")
    total_ws = 0.0
    for _ in range(200):
        fleet.step(0.5)
        total_ws += float(fleet.columns.power_w[0]) * 0.5
    assert fleet.columns.energy_wh[0] == pytest.approx(total_ws / 3600)


def test_shares_follow_the_hash_rate(make_fleet, run_for):
    fleet = make_fleet(*["Antminer S21"] * 50)
    before = fleet.columns.accepted.sum()
    run_for(fleet, 600)
    expected = 0.3 * 600 * 50
    assert fleet.columns.accepted.sum() - before == pytest.approx(expected, rel=0.05)


def test_long_steps_end_where_short_ones_do(make_fleet, run_for):
    short, long = make_fleet("M60S", warm=False), make_fleet("M60S", warm=False)
    for fleet in (short, long):
        fleet.ambient.hold(20.0)
        fleet.columns.contact[:] = True
    run_for(short, 1800, dt=0.25)
    run_for(long, 1800, dt=5.0)
    assert long.columns.state[0] == short.columns.state[0] == phase.HASHING
    assert long.columns.power_w[0] == pytest.approx(short.columns.power_w[0], rel=0.01)
    assert long.columns.board_temp_c[0] == pytest.approx(short.columns.board_temp_c[0], abs=1.0)


def test_worn_boards_and_fans_fail_at_moments_drawn_from_the_seed(make_fleet, run_for):
    fleet = make_fleet(*["Antminer S21"] * 40, wear=Wear(boards=1.0, fans=0.0, horizon_s=100.0))
    run_for(fleet, 50)
    some = (fleet.now_s < fleet.columns.board_dies_at).mean()
    run_for(fleet, 60)
    assert 0.2 < some < 0.8
    assert (fleet.columns.state == phase.FAULT).all()
    assert fleet.columns.board_ths.sum() == 0


def test_cold_machines_stand_without_power(make_fleet, run_for):
    fleet = make_fleet("Antminer S21", warm=False)
    run_for(fleet, 10)
    assert fleet.columns.power_w[0] == 0
    assert fleet.columns.state[0] == phase.OFF
