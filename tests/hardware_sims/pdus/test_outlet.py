import pytest

from hardware_sims.faults import Fault, FaultDetail
from hardware_sims.pdus import OutletBank


def test_an_order_moves_the_contact_and_the_sensors_follow(bank, lamps, watch):
    watch.now_s = 12.0
    assert bank.sample(1).power_w == pytest.approx(1_000, rel=0.01)
    assert bank.sample(1).current_a == pytest.approx(1_000 / 240 / 0.99, rel=0.01)
    bank.order(1, False)
    assert [lamp.on for lamp in lamps] == [True, False, True, True]
    assert bank.sample(1).power_w == 0
    assert bank.sample(1).changed_at_s == 12.0
    assert bank.switched == {1: 1}


def test_a_stuck_contact_reports_the_order_and_keeps_its_load(bank, lamps, faults):
    faults.set(Fault.STUCK_RELAY, FaultDetail(outlet=0))
    bank.order(0, False)
    bank.order(1, False)
    assert not bank.sample(0).on
    assert bank.sample(0).power_w == pytest.approx(1_000, rel=0.01)
    assert not lamps[1].on
    faults.clear()
    assert not lamps[0].on


def test_a_pdu_that_ignores_changes_neither_contact_nor_report(bank, lamps, faults):
    faults.set(Fault.ACCEPTS_AND_IGNORES)
    bank.order(0, False)
    assert lamps[0].on
    assert bank.sample(0).on
    assert not bank.switched


def test_late_orders_wait_for_their_time_and_a_new_order_voids_them(bank, lamps, watch):
    bank.order_later(0, False, 10)
    bank.order_later(1, False, 10)
    watch.now_s = 9.9
    bank.step()
    assert lamps[0].on
    bank.order(1, True)
    watch.now_s = 10.0
    bank.step()
    assert [lamps[0].on, lamps[1].on] == [False, True]
    assert not bank.pending


def test_frozen_sensors_stand_while_contacts_move(bank, lamps, faults):
    faults.set(Fault.FROZEN)
    bank.order(0, False)
    assert not lamps[0].on
    assert bank.sample(0).on
    assert bank.sample(0).power_w > 900


def test_a_reboot_in_mid_command_takes_the_controller_away_for_a_minute(bank, lamps, faults, watch):
    faults.set(Fault.REBOOT_MID_COMMAND)
    bank.order(0, False)
    assert not lamps[0].on
    assert faults.cut
    assert not bank.answering
    watch.now_s = 60.0
    assert bank.answering


def test_an_outlet_without_a_load_draws_nothing(faults):
    bank = OutletBank([None], faults, now_s=lambda: 0.0, voltage_v=lambda _outlet: 240.0, seed=1)
    bank.order(0, False)
    assert bank.sample(0).power_w == 0


def test_a_pdu_without_mains_does_not_answer(bank):
    bank.energised = False
    assert not bank.answering
    assert bank.sample(0).voltage_v == 240.0
