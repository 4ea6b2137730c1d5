import pytest

from hardware_sims.miners.machine import MachineState
from hardware_sims.physics import phase


def states(fleet, seconds: int, dt: float = 1.0) -> list[MachineState]:
    """The states of machine 0 in the order in which they came."""
    seen = [phase.STATES[fleet.columns.state[0]]]
    for _ in range(round(seconds / dt)):
        fleet.step(dt)
        now = phase.STATES[fleet.columns.state[0]]
        if now is not seen[-1]:
            seen.append(now)
    return seen


def test_power_brings_a_machine_through_boot_start_and_ramp(make_fleet):
    fleet = make_fleet("Antminer S21", warm=False)
    fleet.columns.contact[:] = True
    names = [state.value for state in states(fleet, 400)]
    assert names == ["off", "booting", "starting", "tuning", "hashing"]


@pytest.mark.parametrize("seed", range(5))
def test_booting_takes_one_to_two_minutes(make_fleet, seed):
    fleet = make_fleet("Antminer S21", warm=False, seed=seed)
    fleet.columns.contact[:] = True
    fleet.step(1.0)
    booted_s = 0
    while fleet.columns.state[0] == phase.BOOTING:
        fleet.step(1.0)
        booted_s += 1
    assert 59 <= booted_s <= 121


def test_the_ramp_climbs_in_steps_and_overshoots_before_it_settles(make_fleet, run_for):
    fleet = make_fleet("Antminer S21")
    fleet.ambient.hold(20.0)
    phase.start_process(fleet.columns, [0], fleet.now_s)
    levels = []
    while fleet.columns.state[0] != phase.HASHING:
        fleet.step(1.0)
        if fleet.columns.state[0] == phase.TUNING:
            levels.append(float(fleet.columns.level_w[0]))
    assert levels == sorted(levels)
    assert len(set(levels)) == fleet.columns.ramp_steps[0]
    assert levels[0] < 0.5 * levels[-1]
    assert levels[-1] > fleet.columns.target_w[0]


def test_an_outlet_that_opens_takes_everything_at_once(make_fleet):
    fleet = make_fleet("M60S")
    fleet.columns.contact[0] = False
    fleet.step(0.25)
    assert fleet.columns.state[0] == phase.OFF
    assert fleet.columns.power_w[0] == 0


def test_a_feeder_without_mains_beats_a_closed_outlet(make_fleet):
    fleet = make_fleet("M60S")
    fleet.columns.mains[0] = False
    fleet.step(0.25)
    assert fleet.columns.state[0] == phase.OFF


def test_a_machine_asleep_by_order_sleeps_again_after_a_power_cut(make_fleet, machine_of, run_for):
    fleet = make_fleet("M60S")
    machine_of(fleet).sleep()
    fleet.columns.contact[0] = False
    run_for(fleet, 5)
    fleet.columns.contact[0] = True
    run_for(fleet, 150)
    assert fleet.columns.state[0] == phase.SLEEPING


def test_hot_air_stops_machines_and_cool_air_brings_them_back(make_fleet, run_for):
    fleet = make_fleet("Antminer S21")
    fleet.ambient.hold(60.0)
    run_for(fleet, 1200)
    assert fleet.columns.state[0] == phase.STOPPED_THERMAL
    assert fleet.columns.board_ths[0].sum() == 0
    fleet.ambient.hold(15.0)
    run_for(fleet, 2400)
    assert fleet.columns.state[0] == phase.HASHING


def test_a_board_too_hot_trips_before_the_inlet_does(make_fleet, run_for):
    fleet = make_fleet("Antminer S21")
    fleet.columns.fan_dies_at[0] = 0.0
    run_for(fleet, 1200)
    assert phase.STATES[fleet.columns.state[0]] is MachineState.STOPPED_THERMAL
    assert fleet.columns.inlet_c[0] < fleet.columns.inlet_trip_c[0]
