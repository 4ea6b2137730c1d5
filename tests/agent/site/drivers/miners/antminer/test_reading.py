import pytest

from agent.site.devices.reading import quality_of
from agent.site.drivers.miners import FAMILIES, Credentials, miner_profiles
from shared.actions import Sleep
from shared.errors import AuthFailed, ProtocolViolation, Unreachable
from shared.quality import Quality
from shared.states import OpState, PowerSource


async def test_hot_reading(driver, machine):
    reading = await driver.read_hot()
    assert reading.op_state is OpState.HASHING
    assert reading.hashrate_ths == pytest.approx(104.51233)
    assert reading.hashrate_expected_ths == pytest.approx(104.0)
    assert (reading.chip_temp_c, reading.board_temp_c) == (78.0, 62.0)
    assert reading.fan_rpm == 5760
    assert (reading.mining_uptime_s, reading.accepted_shares, reading.rejected_shares) == (86412, 15022, 31)
    assert (reading.boards_hashing, reading.boards_expected) == (3, 3)
    assert reading.hardware_errors == 118
    assert reading.boards == ()  # full polls only
    assert [evidence.asked for evidence in reading.evidence] == ["summary", "stats"]


async def test_stock_firmware_reports_no_watts(driver):
    reading = await driver.read_hot()
    assert reading.power_w is None
    assert reading.power_source is PowerSource.NONE
    assert quality_of(reading, "power_w") is Quality.ABSENT


async def test_joined_commands_are_tried_once(driver, machine):
    for _ in range(3):
        await driver.read_hot()
    assert [request["command"] for request in machine.socket.asked].count("summary+stats") == 1


async def test_joined_commands_are_kept_where_the_firmware_answers_them(driver, machine):
    machine.socket.answers["summary+stats"] = lambda request: {
        "summary": [machine.summary(request)],
        "stats": [machine.recorded("antminer_stats")],
        "id": 1,
    }
    for _ in range(2):
        assert (await driver.read_hot()).hashrate_ths == pytest.approx(104.51233)
    assert len(machine.socket.asked) == 2


async def test_full_reading(driver):
    reading = await driver.read_full()
    assert reading.mac == "02:42:ac:11:00:07"
    assert reading.power_mode == "normal"
    assert reading.pools == ("stratum+tcp://pool-a.example:3333", "stratum+tcp://pool-b.example:3333")
    assert reading.faults == ("fans 2 fan lost",)
    assert [board.slot for board in reading.boards] == [0, 1, 2]
    second = reading.boards[1]
    assert second.hashrate_ths == pytest.approx(34.79002)
    assert (second.chips_good, second.chips_expected, second.frequency_mhz) == (19, 20, 545)
    assert (second.chip_temp_c, second.board_temp_c, second.hardware_errors) == (78.0, 62.0, 61)


async def test_readings_hold_no_pool_password(driver):
    reading = await driver.read_full()
    assert b"p4ssA" not in b"".join(evidence.raw for evidence in reading.evidence)


async def test_full_reading_without_the_web_interface(driver, machine):
    await machine.web.stop()
    reading = await driver.read_full()
    assert reading.op_state is OpState.HASHING
    assert reading.pools is None
    assert reading.mac is None
    assert "device.unreachable" in reading.faults[0]


async def test_default_password_is_reported(machine, ports):
    driver = FAMILIES["antminer-stock"](
        "127.0.0.1", ports, Credentials("root", "root"), miner_profiles()["antminer-stock"]
    )
    assert "login.default" in (await driver.read_full()).faults[-1]
    await driver.aclose()


async def test_identity(driver):
    found = await driver.identify()
    assert (found.mac, found.model, found.serial) == ("02:42:ac:11:00:07", "Antminer S19j Pro", "SMTTYRHBDJAAI00K7")
    assert driver.profile.curve(found.model)


async def test_without_a_login_it_is_only_read(machine, ports):
    driver = FAMILIES["antminer-stock"]("127.0.0.1", ports, None, miner_profiles()["antminer-stock"])
    assert driver.verbs == frozenset()
    assert (await driver.read_hot()).op_state is OpState.HASHING
    with pytest.raises(AuthFailed):
        await driver.apply(Sleep())
    await driver.aclose()


async def test_starting_and_broken_machines(driver, machine):
    machine.rate_ghs, machine.elapsed_s = 0.0, 30
    assert (await driver.read_hot()).op_state is OpState.STARTING
    machine.rate_ghs, machine.elapsed_s = 50_000.0, 60
    assert (await driver.read_hot()).op_state is OpState.STARTING
    machine.rate_ghs, machine.elapsed_s = 0.0, 4_000
    assert (await driver.read_hot()).op_state is OpState.STOPPED_FAULT


async def test_a_unit_that_cannot_be_right(driver, machine):
    for rate in (104.5, 104_512_330.0):
        machine.rate_ghs = rate
        reading = await driver.read_hot()
        assert quality_of(reading, "hashrate_ths") is Quality.UNIT_SUSPECT
        assert reading.op_state is OpState.UNKNOWN


async def test_dead_process_behind_a_living_web_interface(driver, machine):
    await machine.socket.stop()
    reading = await driver.read_hot()
    assert reading.op_state is OpState.UNKNOWN
    assert reading.hashrate_ths is None
    assert "mining process" in reading.faults[0]


async def test_a_dead_board_and_a_standing_fan(driver, machine):
    stats = machine.recorded("antminer_stats")
    stats["STATS"][1] |= {"chain_acn2": 0, "chain_rate2": "", "chain_acs2": "", "temp_chip2": "0-0-0-0", "fan3": 0}
    machine.socket.answers["stats"] = stats
    reading = await driver.read_full()
    assert (reading.boards_hashing, reading.boards_expected) == (2, 3)
    assert reading.fan_rpm == 0
    dead = reading.boards[1]
    assert (dead.slot, dead.hashrate_ths, dead.chip_temp_c, dead.chips_good) == (1, None, None, 0)
    assert quality_of(dead, "hashrate_ths") is Quality.ABSENT


async def test_older_models_count_boards_from_elsewhere(driver, machine):
    row = {"total_rateideal": 13_500.0, "fan1": 0, "fan3": 4320, "fan6": 4200, "fan7": 0, "fan8": 0}
    for place in range(1, 17):
        row |= {f"chain_acn{place}": 63 if place in (6, 7, 8) else 0, f"chain_rate{place}": ""}
    row |= {"chain_rate6": "4500.1", "chain_rate7": "4501.1", "chain_rate8": "4502.1", "temp_chip6": "70-0-0-71"}
    machine.socket.answers["stats"] = {"STATS": [{"Type": "Antminer S9"}, row]}
    machine.rate_ghs = 13_400.0
    reading = await driver.read_full()
    assert [board.slot for board in reading.boards] == [0, 1, 2]
    assert reading.boards_expected is None
    assert (reading.fan_rpm, reading.chip_temp_c) == (4200, 71.0)


@pytest.mark.parametrize(
    "raw",
    [
        b"Socket connect failed",
        b'{"STATUS":"E","Code":14,"Msg":"invalid cmd"}',
        b'{"STATUS":[{"STATUS":"S"}]}',
        b"[]",
    ],
)
async def test_what_is_no_summary(driver, machine, raw):
    machine.socket.answers["summary"] = raw
    with pytest.raises((ProtocolViolation, Unreachable)):
        await driver.read_full()


async def test_a_socket_that_closes_without_a_word_is_a_process_that_is_not_there(driver, machine):
    machine.socket.answers["summary"] = b""
    reading = await driver.read_full()
    assert reading.op_state is OpState.UNKNOWN
    assert reading.hashrate_ths is None
    assert any(fault.startswith("mining process:") for fault in reading.faults)
