"""What a machine does, as a table: rate, expected rate, uptime and what it was told."""

import pytest

from agent.site.devices.reading import quality_of
from agent.site.drivers.miners.sheet import miner_sheet
from agent.site.drivers.miners.state import Signs, UnitCheck, op_state
from shared.quality import Quality
from shared.states import OpState

GRACE_S = 300.0
SOLD = 100.0


def sheet_of(rate_ths, uptime_s, expected_ths=SOLD):
    sheet = miner_sheet()
    sheet.put("hashrate_ths", rate_ths)
    sheet.put("hashrate_expected_ths", expected_ths)
    sheet.put("mining_uptime_s", uptime_s)
    return sheet


def judged(check, rate_ths, uptime_s, signs=None):
    sheet = sheet_of(rate_ths, uptime_s)
    state = op_state(check.judge(sheet), sheet, signs or Signs(), GRACE_S)
    return state, quality_of(sheet.miner(), "hashrate_ths")


@pytest.mark.parametrize(
    ("rate_ths", "uptime_s", "signs", "state"),
    [
        (99.0, 5000, Signs(), OpState.HASHING),
        (99.0, 5000, Signs(asleep=True), OpState.HASHING),  # the rate decides before any flag
        (50.0, 5000, Signs(), OpState.HASHING),
        (50.0, 60, Signs(), OpState.STARTING),
        (50.0, 60, Signs(settled=True), OpState.HASHING),
        (95.0, 60, Signs(settled=False), OpState.STARTING),
        (95.0, 5000, Signs(settled=False), OpState.HASHING),
        (0.0, 60, Signs(), OpState.STARTING),
        (0.5, 60, Signs(), OpState.STARTING),
        (0.5, 60, Signs(asleep=True), OpState.UNKNOWN),  # on its way down after an order, which restarts the process
        (50.0, 60, Signs(asleep=True), OpState.HASHING),
        (0.0, 5000, Signs(), OpState.UNKNOWN),
        (0.0, 5000, Signs(asleep=False), OpState.STOPPED_FAULT),
        (0.0, 5000, Signs(asleep=True), OpState.SLEEPING),
        (0.0, 60, Signs(asleep=True), OpState.SLEEPING),
        (0.0, 60, Signs(asleep=False, hot=True), OpState.STOPPED_THERMAL),
        (0.0, 60, Signs(asleep=False, faulty=True), OpState.STOPPED_FAULT),
        (None, 5000, Signs(asleep=True), OpState.UNKNOWN),
        (None, 60, Signs(), OpState.UNKNOWN),
        (0.0, None, Signs(asleep=None), OpState.UNKNOWN),
    ],
)
def test_states(rate_ths, uptime_s, signs, state):
    assert judged(UnitCheck(GRACE_S), rate_ths, uptime_s, signs)[0] is state


@pytest.mark.parametrize(
    ("rate_ths", "quality"),
    [
        (100.0, Quality.GOOD),
        (2.1, Quality.GOOD),
        (2.0, Quality.UNIT_SUSPECT),
        (0.1, Quality.UNIT_SUSPECT),
        (159.0, Quality.GOOD),
        (160.0, Quality.UNIT_SUSPECT),
        (100_000.0, Quality.UNIT_SUSPECT),
        (0.0, Quality.GOOD),
    ],
)
def test_unit_check(rate_ths, quality):
    assert judged(UnitCheck(GRACE_S), rate_ths, 5000)[1] is quality


def test_a_machine_that_runs_down_is_not_taken_for_another_unit():
    check = UnitCheck(GRACE_S)
    assert judged(check, 100.0, 5000)[0] is OpState.HASHING
    assert judged(check, 0.4, 5010, Signs(asleep=True)) == (OpState.SLEEPING, Quality.GOOD)


def test_a_restart_takes_the_proof_of_the_unit_away():
    check = UnitCheck(GRACE_S)
    judged(check, 100.0, 5000)
    assert judged(check, 0.1, 10) == (OpState.STARTING, Quality.GOOD)
    assert judged(check, 0.1, 400) == (OpState.UNKNOWN, Quality.UNIT_SUSPECT)


def test_absent_is_never_zero():
    reading = sheet_of(None, None, None).miner()
    assert reading.hashrate_ths is None
    assert quality_of(reading, "hashrate_ths") is Quality.ABSENT
