import pytest

from agent.site.devices.reading import quality_of
from agent.site.drivers.miners import miner_profiles
from agent.site.drivers.miners.whatsminer import WhatsminerV2
from shared.actions import Sleep
from shared.errors import AuthFailed, ProtocolViolation
from shared.quality import Quality
from shared.states import OpState, PowerSource


async def test_hot_reading(driver, machine):
    reading = await driver.read_hot()
    assert reading.op_state is OpState.HASHING
    assert reading.hashrate_ths == pytest.approx(121.98023311)
    assert reading.hashrate_expected_ths == pytest.approx(122.0)
    assert (reading.power_w, reading.power_limit_w) == (3397, 3600)
    assert reading.power_source is PowerSource.MEASURED_INPUT
    assert (reading.chip_temp_c, reading.board_temp_c, reading.inlet_temp_c) == (93.2, 78.5, 24.5)
    assert (reading.fan_rpm, reading.mining_uptime_s, reading.uptime_s) == (4050, 35014, 35555)
    assert (reading.power_mode, reading.mac) == ("normal", "c4:11:04:00:11:22")
    assert len(machine.socket.asked) == 1


async def test_full_reading(driver):
    reading = await driver.read_full()
    assert reading.pools == ("stratum+tcp://pool-a.example:3333", "stratum+tcp://pool-b.example:3333")
    assert reading.faults[:2] == ("error 218 since 2024-06-15 10:30:00", "error 5031")
    assert "login.default" in reading.faults[-1]
    assert [board.slot for board in reading.boards] == [0, 1, 2]
    assert reading.boards_hashing == 3
    board = reading.boards[1]
    assert (board.chips_good, board.chip_temp_c, board.frequency_mhz) == (114, 93.2, 631)
    assert board.hashrate_ths == pytest.approx(40.6601)


async def test_a_secondary_read_that_fails_is_named(driver, machine):
    machine.socket.answers["get_error_code"] = b'{"STATUS":"S","Code":131,"Msg":{"error_code":{"218","219"}}}'
    machine.socket.answers["pools"] = b'{"STATUS":[{"STATUS":"S"}],"POOLS":[{"POOL":1,"URL":"strat'
    reading = await driver.read_full()
    assert reading.pools is None
    assert "pools: " in reading.faults[0]
    assert reading.faults[1:3] == ("error 218", "error 219")


async def test_minus_one_watt_is_not_measured(driver, machine):
    machine.row |= {"Power": -1, "Power_RT": -1}
    reading = await driver.read_hot()
    assert reading.power_w is None
    assert reading.power_source is PowerSource.NONE
    machine.row |= {"Power": 3401}
    assert (await driver.read_hot()).power_w == 3401


async def test_zero_watts_while_hashing_is_implausible(driver, machine):
    machine.row |= {"Power": 0, "Power_RT": 0}
    assert quality_of(await driver.read_hot(), "power_w") is Quality.IMPLAUSIBLE


async def test_one_firmware_reports_terahashes_in_a_megahash_field(driver, machine):
    machine.row |= {"MHS 5s": 121.9, "HS RT": 121.9}
    reading = await driver.read_hot()
    assert quality_of(reading, "hashrate_ths") is Quality.UNIT_SUSPECT
    assert reading.op_state is OpState.UNKNOWN


async def test_averages_are_no_rate(driver, machine):
    for key in ("MHS 5s", "HS RT", "MHS 1m"):
        del machine.row[key]
    reading = await driver.read_hot()
    assert reading.hashrate_ths is None
    assert reading.op_state is OpState.UNKNOWN


async def test_identity(driver):
    found = await driver.identify()
    assert (found.mac, found.model, found.firmware) == ("c4:11:04:00:11:22", "M50S+_VH30", "20230803.11.REL")
    assert found.serial == "HPM38S2ZL14A2310E"
    assert driver.profile.curve(found.model, 122.0) == ((3026, 122.0),)


async def test_without_a_login_it_is_only_read(machine, ports):
    driver = WhatsminerV2("127.0.0.1", ports, None, miner_profiles()["whatsminer-v2"])
    assert driver.verbs == frozenset()
    assert (await driver.read_hot()).op_state is OpState.HASHING
    with pytest.raises(AuthFailed):
        await driver.apply(Sleep())


async def test_a_stopped_process_explained_by_status(driver, machine):
    machine.socket.answers["summary"] = {"STATUS": "E", "Code": 132, "Msg": "btminer not running"}
    machine.state["Msg"]["mineroff"] = "true"
    assert (await driver.read_hot()).op_state is OpState.SLEEPING
    machine.socket.answers["status"] = b"{}"
    with pytest.raises(ProtocolViolation):
        await driver.read_hot()


async def test_version_one_names(driver, machine):
    machine.state["Msg"] = {"btmineroff": "true"}
    machine.row |= {
        "MHS 5s": 0,
        "HS RT": 0,
        "MHS 1m": 0,
        "Error Code Count": 2,
        "Error Code 0": 218,
        "Error Code 1": 5070,
    }
    reading = await driver.read_full()
    assert reading.op_state is OpState.SLEEPING
    assert reading.faults[:2] == ("error 218", "error 5070")
