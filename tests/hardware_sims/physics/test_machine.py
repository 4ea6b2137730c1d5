import asyncio
import math

import pytest

from hardware_sims.faults import Fault, FaultDetail, FaultState
from hardware_sims.miners.machine import MachineState, Pool
from hardware_sims.physics.build import target_w
from shared.errors import Unsupported


def test_windows_disagree_while_the_rate_changes_and_agree_when_it_holds(make_fleet, machine_of, run_for):
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet)
    machine.restart_mining()
    run_for(fleet, 120)
    rising = [machine.hashrate_ths(window) for window in (5, 60, 900, math.inf)]
    assert rising[0] > rising[1] > rising[2] == pytest.approx(rising[3])
    run_for(fleet, 3600, dt=5)
    assert machine.hashrate_ths(60) == pytest.approx(machine.hashrate_ths(900), rel=0.02)
    assert machine.hashrate_ths(math.inf) < machine.hashrate_ths(900)


def test_windows_are_exact_means_of_the_true_rate(make_fleet, machine_of):
    fleet = make_fleet("M60S")
    machine = machine_of(fleet)
    rates = []
    for _ in range(80):
        fleet.step(1.0)
        rates.append(float(fleet.columns.board_ths[0].sum()))
    for window in (5, 20, 60):
        assert machine.hashrate_ths(window) == pytest.approx(sum(rates[-window:]) / window)


def test_sleep_brings_the_machine_near_its_standby_power(make_fleet, machine_of, run_for):
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet)
    run_for(fleet, 10)
    machine.sleep()
    run_for(fleet, 10)
    assert machine.state is MachineState.SLEEPING
    assert machine.power_w == pytest.approx(25, abs=6)
    assert machine.hashrate_ths(5) == 0
    assert machine.elapsed_s == pytest.approx(10)
    assert machine.uptime_s > 3600


def test_no_window_reaches_into_the_process_before(make_fleet, machine_of, run_for):
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet)
    run_for(fleet, 10.25, dt=0.25)
    machine.sleep()
    for _ in range(40):
        fleet.step(0.25)
        assert machine.hashrate_ths(5) == 0


def test_wake_ramps_again_with_a_new_process(make_fleet, machine_of, run_for):
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet)
    machine.sleep()
    run_for(fleet, 30)
    machine.wake()
    run_for(fleet, 5)
    assert machine.state is MachineState.STARTING
    assert machine.elapsed_s == pytest.approx(5)
    run_for(fleet, 400)
    assert machine.state is MachineState.HASHING
    assert dict(machine.executed) == {"sleep": 1, "wake": 1}


def test_a_bitaxe_has_no_stop_order(make_fleet, machine_of):
    machine = machine_of(make_fleet("BitAxe Gamma"))
    with pytest.raises(Unsupported, match="switch its outlet"):
        machine.sleep()
    assert not machine.executed


def test_an_unknown_mode_is_refused(make_fleet, machine_of):
    machine = machine_of(make_fleet("Antminer S21"))
    with pytest.raises(Unsupported, match="low, normal"):
        machine.set_power_mode("turbo")


@pytest.mark.parametrize("limit_w", [2000, 3000, 4000])
def test_a_limit_held_by_measurement_is_met_whatever_the_unit(make_fleet, machine_of, run_for, limit_w):
    fleet = make_fleet(*["M60S"] * 6)
    fleet.ambient.hold(20.0)
    machines = [machine_of(fleet, row) for row in range(6)]
    for machine in machines:
        machine.set_power_mode("high")
        machine.set_power_limit(limit_w)
    run_for(fleet, 5000, dt=5)
    for machine in machines:
        assert machine.power_w == pytest.approx(limit_w, rel=0.05)
        assert machine.state is MachineState.HASHING


def test_firmware_in_open_loop_keeps_its_units_error(make_fleet):
    model = make_fleet("Antminer S21").models[0]
    assert target_w(model, "normal", 3000, 1.05) == 3000
    assert target_w(model, "normal", 100, 1.0) == model.ladder[0][0]
    assert target_w(model, "normal", 99_999, 1.0) == model.modes["normal"]


def test_an_order_while_asleep_is_stored_and_wakes_nobody(make_fleet, machine_of, run_for):
    fleet = make_fleet("M60S")
    machine = machine_of(fleet)
    machine.sleep()
    machine.set_power_limit(2500)
    run_for(fleet, 5)
    assert machine.state is MachineState.SLEEPING
    assert machine.power_limit_w == 2500


def test_a_machine_that_ignores_says_yes_and_changes_nothing(make_fleet, machine_of, run_for):
    faults = FaultState()
    fleet = make_fleet("M60S")
    machine = machine_of(fleet, faults=faults)
    faults.set(Fault.ACCEPTS_AND_IGNORES)
    machine.sleep()
    machine.set_pools([Pool("stratum+tcp://other:1", "u")])
    run_for(fleet, 5)
    assert machine.state is MachineState.HASHING
    assert machine.pools == []
    assert dict(machine.ignored) == {"sleep": 1, "set_pools": 1}
    assert not machine.executed


async def test_an_order_that_was_obeyed_and_is_undone_later(make_fleet, machine_of, run_for):
    faults = FaultState()
    fleet = make_fleet("M60S")
    machine = machine_of(fleet, faults=faults)
    faults.set(Fault.REVERTS, FaultDetail(delay_s=0.05))
    machine.set_power_limit(2500)
    machine.sleep()
    run_for(fleet, 5)
    assert (machine.state, machine.power_limit_w) == (MachineState.SLEEPING, 2500)
    async with asyncio.timeout(8):
        while machine.asleep_by_order or machine.power_limit_w is not None:
            await asyncio.sleep(0.01)
    run_for(fleet, 5)
    assert machine.state is not MachineState.SLEEPING


def test_a_skewed_clock_and_a_cloned_mac_are_what_the_firmware_tells(make_fleet, machine_of):
    faults = FaultState()
    machine = machine_of(make_fleet("M60S"), faults=faults)
    mac, wall_s = machine.mac, machine.wall_time_s
    faults.set(Fault.CLOCK_SKEW, FaultDetail(skew_s=-7_200.0))
    faults.set(Fault.CLONED_MAC, FaultDetail(mac="02:00:00:00:00:99"))
    assert (machine.mac, machine.wall_time_s) == ("02:00:00:00:00:99", wall_s - 7_200.0)
    faults.clear()
    assert (machine.mac, machine.wall_time_s) == (mac, wall_s)


def test_a_reboot_in_mid_command_stores_the_order_and_cuts_the_answer_once(make_fleet, machine_of, run_for):
    faults = FaultState()
    fleet = make_fleet("M60S")
    machine = machine_of(fleet, faults=faults)
    faults.set(Fault.REBOOT_MID_COMMAND)
    machine.sleep()
    assert machine.state is MachineState.BOOTING
    assert faults.cut
    assert not faults.active(Fault.REBOOT_MID_COMMAND)
    run_for(fleet, 125)
    assert machine.state is MachineState.SLEEPING


def test_a_frozen_machine_repeats_itself_while_the_truth_moves_on(make_fleet, machine_of, run_for):
    faults = FaultState()
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet, faults=faults)
    run_for(fleet, 30)
    faults.set(Fault.FROZEN)
    before = (machine.power_w, machine.hashrate_ths(60), machine.elapsed_s, machine.boards[0].chip_temps_c)
    machine.sleep()
    run_for(fleet, 30)
    assert (machine.power_w, machine.hashrate_ths(60), machine.elapsed_s, machine.boards[0].chip_temps_c) == before
    assert machine.drawn_w < 40
    faults.clear(Fault.FROZEN)
    assert machine.state is MachineState.SLEEPING


def test_a_wrong_unit_touches_measured_hash_rate_only(make_fleet, machine_of, run_for):
    faults = FaultState()
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet, faults=faults)
    run_for(fleet, 60)
    right = machine.hashrate_ths(30), machine.boards[0].hashrate_ths, machine.hashrate_expected_ths
    faults.set(Fault.WRONG_UNIT, FaultDetail(factor=1e6))
    assert machine.hashrate_ths(30) == pytest.approx(right[0] * 1e6)
    assert machine.boards[0].hashrate_ths == pytest.approx(right[1] * 1e6)
    assert machine.hashrate_expected_ths == right[2]


def test_a_failed_board_costs_a_third_and_comes_back_when_mended(make_fleet, machine_of, run_for):
    faults = FaultState()
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet, faults=faults)
    faults.set(Fault.BOARD_FAILED, FaultDetail(slot=1))
    run_for(fleet, 60)
    assert not machine.boards[1].alive
    assert machine.boards[1].chips_good == 0
    assert machine.hashrate_ths(30) == pytest.approx(200 * 2 / 3, rel=0.08)
    faults.clear()
    run_for(fleet, 60)
    assert machine.boards[1].alive
    assert machine.hashrate_ths(30) == pytest.approx(200, rel=0.08)


def test_a_failed_fan_stands_and_the_others_run_faster(make_fleet, machine_of, run_for):
    faults = FaultState()
    fleet = make_fleet("Antminer S21")
    machine = machine_of(fleet, faults=faults)
    run_for(fleet, 900)
    before = machine.fan_rpm
    faults.set(Fault.FAN_FAILED, FaultDetail(slot=3))
    run_for(fleet, 900)
    assert machine.fan_rpm[3] == 0
    assert min(machine.fan_rpm[:3]) > before[0] * 1.1


def test_sensors_of_a_board_rise_from_intake_to_exhaust_and_chips_stand_above(make_fleet, machine_of, run_for):
    fleet = make_fleet("Antminer S21")
    run_for(fleet, 60)
    board = machine_of(fleet).boards[0]
    assert board.pcb_temps_c[0] < board.pcb_temps_c[3]
    assert all(chip > pcb for chip, pcb in zip(board.chip_temps_c, board.pcb_temps_c, strict=True))
