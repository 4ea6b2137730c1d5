import asyncio
import json

import pytest

from agent.site.devices.ports import Effect
from agent.site.devices.reading import quality_of
from agent.site.drivers.miners import Credentials, miner_profiles
from agent.site.drivers.miners.antminer import AntminerStock, order
from agent.site.drivers.miners.effect import Before
from shared.actions import (
    Locate,
    Pool,
    ReadNow,
    Reboot,
    Restart,
    SetPools,
    SetPowerLimit,
    SetPowerMode,
    Sleep,
    Wake,
)
from shared.errors import (
    AuthFailed,
    DeviceError,
    IdentityChanged,
    IncompleteRead,
    ProtocolViolation,
    Rejected,
    Unreachable,
    Unsupported,
)
from shared.quality import Quality
from shared.states import OpState, PowerSource

LOGIN = Credentials("root", "s3cret")
OK = {"stats": "success", "code": "M000", "msg": "OK!"}
GET_CONF, SET_CONF = "GET /cgi-bin/get_miner_conf.cgi", "POST /cgi-bin/set_miner_conf.cgi"
NEW_POOLS = (Pool("stratum+tcp://pool-c.example:3333", "farm.2", "x"),)


class Antminer:
    """Firmware that stores what is posted under the mode key that it knows, and restarts its process then."""

    def __init__(self, socket_device, web_device, recorded):
        self.socket, self.web, self.recorded = socket_device, web_device, recorded
        self.conf = recorded("antminer_conf")
        self.system = recorded("antminer_system")
        self.key = "bitmain-work-mode"
        self.obeys = True
        self.elapsed_s = 86_412
        self.rate_ghs = 104_512.33
        socket_device.answers.update(
            summary=self.summary, stats=recorded("antminer_stats"), pools=recorded("antminer_pools")
        )
        web_device.answers.update(
            {
                GET_CONF: lambda _: self.conf,
                SET_CONF: self.store,
                "GET /cgi-bin/get_system_info.cgi": lambda _: self.system,
                "GET /cgi-bin/summary.cgi": recorded("antminer_web_summary"),
                "POST /cgi-bin/blink.cgi": self.blink,
                "GET /cgi-bin/get_blink_status.cgi": {"blink": False},
                "POST /cgi-bin/reboot.cgi": OK,
            }
        )

    def summary(self, _request):
        reply = self.recorded("antminer_summary")
        reply["SUMMARY"][0] |= {"Elapsed": self.elapsed_s, "GHS 5s": self.rate_ghs}
        return reply

    def store(self, body):
        posted = json.loads(body)
        mode = posted.get(self.key, self.conf["bitmain-work-mode"])
        self.conf = self.conf | {"pools": posted["pools"], "bitmain-work-mode": str(mode)}
        if self.obeys:
            self.elapsed_s = 2
            self.rate_ghs = 0.0 if str(mode) == "1" else 104_000.0
        return OK

    def blink(self, body):
        on = b"true" in body
        self.web.answers["GET /cgi-bin/get_blink_status.cgi"] = {"blink": on}
        return {"code": "B000" if on else "B100"}

    def stored(self):
        return [body for asked, body in self.web.posts() if asked == SET_CONF]


@pytest.fixture
def machine(socket_device, web_device, recorded, monkeypatch):
    monkeypatch.setattr(order, "_SETTLES_WITHIN_S", 0.0)
    return Antminer(socket_device, web_device, recorded)


@pytest.fixture
async def driver(machine, ports):
    driver = AntminerStock("127.0.0.1", ports, LOGIN, miner_profiles()["antminer-stock"])
    yield driver
    await driver.aclose()


async def obey(driver, action):
    before = await driver.prepare(action)
    await driver.apply(action)
    return before


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
    driver = AntminerStock("127.0.0.1", ports, Credentials("root", "root"), miner_profiles()["antminer-stock"])
    assert "login.default" in (await driver.read_full()).faults[-1]
    await driver.aclose()


async def test_identity(driver):
    found = await driver.identify()
    assert (found.mac, found.model, found.serial) == ("02:42:ac:11:00:07", "Antminer S19j Pro", "SMTTYRHBDJAAI00K7")
    assert driver.profile.curve(found.model)


async def test_sleep_is_shown_by_the_rate_not_by_the_stored_mode(driver, machine):
    before = await obey(driver, Sleep())
    assert machine.stored()[-1]["pools"] == machine.recorded("antminer_conf")["pools"]
    assert (await driver.read_back(Sleep(), before)).effect is Effect.SHOWN
    assert (await driver.read_hot()).op_state is OpState.SLEEPING


async def test_stored_and_nothing_happened_is_not_shown(driver, machine):
    machine.obeys = False
    before = await obey(driver, Sleep())
    assert machine.conf["bitmain-work-mode"] == "1"
    assert (await driver.read_back(Sleep(), before)).effect is Effect.NOT_SHOWN


async def test_an_average_that_stays_high_is_no_hash_rate(driver, machine):
    before = await obey(driver, Sleep())
    reply = machine.recorded("antminer_summary")
    reply["SUMMARY"][0] |= {"Elapsed": 3, "GHS 5s": 0.0, "GHS av": 103_988.0}
    machine.socket.answers["summary"] = reply
    assert (await driver.read_back(Sleep(), before)).effect is Effect.SHOWN
    del reply["SUMMARY"][0]["GHS 5s"]
    assert (await driver.read_back(Sleep(), before)).effect is Effect.UNSEEN


async def test_zero_rate_before_the_process_restarts_is_no_sleep(driver, machine):
    machine.rate_ghs, machine.elapsed_s, machine.obeys = 0.0, 20, False
    before = await obey(driver, Sleep())
    machine.elapsed_s = 40
    assert isinstance(before, Before)
    before = Before(before.at_s - 20, before.reading)
    assert (await driver.read_back(Sleep(), before)).effect is Effect.NOT_SHOWN


async def test_a_closed_socket_proves_sleep_only_after_longer_than_a_restart_takes(driver, machine, monkeypatch):
    before = await obey(driver, Sleep())
    await machine.socket.stop()
    assert (await driver.read_back(Sleep(), before)).effect is Effect.UNSEEN
    assert (await driver.read_hot()).op_state is OpState.SLEEPING
    loop = asyncio.get_running_loop()
    now_s = loop.time
    monkeypatch.setattr(loop, "time", lambda: now_s() + 60)
    assert (await driver.read_back(Sleep(), before)).effect is Effect.SHOWN


async def test_a_dead_device_is_unseen(driver, machine):
    before = await obey(driver, Sleep())
    await machine.socket.stop()
    await machine.web.stop()
    for action in (Sleep(), Wake(), Reboot(), SetPools(NEW_POOLS), Locate(True)):
        assert (await driver.read_back(action, before)).effect is Effect.UNSEEN
    with pytest.raises(Unreachable):
        await driver.read_hot()


async def test_wake(driver, machine):
    await obey(driver, Sleep())
    before = await obey(driver, Wake())
    assert machine.conf["bitmain-work-mode"] == "0"
    assert (await driver.read_back(Wake(), before)).effect is Effect.SHOWN
    machine.rate_ghs = 0.0
    assert (await driver.read_back(Wake(), before)).effect is Effect.NOT_SHOWN


async def test_wake_returns_to_the_mode_before_and_leaves_a_working_machine_alone(driver, machine):
    machine.conf["bitmain-work-mode"] = "3"
    await obey(driver, Wake())
    assert machine.stored() == []
    await obey(driver, Sleep())
    await obey(driver, Wake())
    assert machine.conf["bitmain-work-mode"] == "3"


async def test_the_other_mode_key_is_tried_once(driver, machine):
    machine.key = "bitmain-work-mode"  # the profile's first is miner-mode
    acknowledgement = await driver.apply(Sleep())
    posted = machine.stored()
    assert [[key for key in document if key in ("miner-mode", "bitmain-work-mode")] for document in posted] == [
        ["miner-mode"],
        ["bitmain-work-mode"],
    ]
    assert "bitmain-work-mode" in acknowledgement.text


async def test_the_whole_document_is_posted_and_the_old_one_kept(driver, machine):
    machine.key = "miner-mode"
    acknowledgement = await driver.apply(Sleep())
    expected = machine.recorded("antminer_conf")
    del expected["bitmain-work-mode"]
    assert machine.stored() == [expected | {"miner-mode": "1"}]
    assert b"p4ssA" in acknowledgement.evidence[0].raw


async def test_nothing_is_posted_where_nothing_changes(driver, machine):
    machine.conf["bitmain-work-mode"] = "1"
    await driver.apply(Sleep())
    await driver.apply(SetPools(tuple(Pool(p["url"], p["user"], p["pass"]) for p in machine.conf["pools"][:2])))
    assert machine.stored() == []


def _without(document, *keys):
    return {key: value for key, value in document.items() if key not in keys}


FAILED_READS = {
    "status 500": lambda conf: (500, b"oops"),
    "empty": lambda conf: b"",
    "html": lambda conf: b"<html>login</html>",
    "cut": lambda conf: json.dumps(conf).encode()[:200],
    "mendable": lambda conf: json.dumps(conf).encode()[:-1] + b",}",
    "error body": lambda conf: {"stats": "error", "code": "M001"},
    "no pools": lambda conf: _without(conf, "pools"),
    "pools null": lambda conf: conf | {"pools": None},
    "pools empty": lambda conf: conf | {"pools": []},
    "pool without user": lambda conf: conf | {"pools": [{"url": "a", "pass": "b"}]},
    "pool as text": lambda conf: conf | {"pools": ["a", "b", "c"]},
    "four pools": lambda conf: conf | {"pools": conf["pools"] + conf["pools"][:1]},
    "pools read empty while mining": lambda conf: conf | {"pools": [{"url": "", "user": "", "pass": ""}] * 3},
    "no fan control": lambda conf: _without(conf, "bitmain-fan-ctrl"),
    "dropped": lambda conf: None,
    "hang": lambda conf: "hang",
}


@pytest.mark.parametrize("failure", FAILED_READS)
@pytest.mark.parametrize("action", [Sleep(), SetPowerMode("low"), SetPools(NEW_POOLS)])
async def test_pools_survive_every_failed_read(driver, machine, failure, action):
    machine.web.answers[GET_CONF] = lambda _: FAILED_READS[failure](machine.conf)
    with pytest.raises(IncompleteRead):
        await driver.apply(action)
    assert machine.stored() == []
    assert machine.conf["pools"] == machine.recorded("antminer_conf")["pools"]


@pytest.mark.parametrize("reply", [(500, b""), b"", b"<html>", None, {"stats": "error", "code": "M001"}, (403, b"")])
async def test_pools_survive_a_failed_write(driver, machine, reply):
    machine.web.answers[SET_CONF] = lambda body: reply
    with pytest.raises(DeviceError):
        await driver.apply(Sleep())
    assert [document["pools"] for document in machine.stored()] == [machine.recorded("antminer_conf")["pools"]]


@pytest.mark.parametrize("failure", ["status 500", "cut", "no pools", "pools empty", "dropped"])
async def test_pools_survive_a_failed_check_after_the_write(driver, machine, failure):
    reads = iter(range(100))
    machine.web.answers[GET_CONF] = lambda _: machine.conf if next(reads) == 0 else FAILED_READS[failure](machine.conf)
    acknowledgement = await driver.apply(Sleep())
    assert acknowledgement.text.startswith("set_miner_conf")
    assert len(machine.stored()) == 1
    assert machine.stored()[0]["pools"] == machine.recorded("antminer_conf")["pools"]


async def test_a_failure_of_the_second_key_is_no_refusal(driver, machine):
    replies = iter((OK, (500, b"")))
    machine.web.answers[SET_CONF] = lambda body: next(replies)
    assert "status 500" in (await driver.apply(Sleep())).text


async def test_a_miner_without_pools_can_be_put_to_sleep(driver, machine):
    machine.conf["pools"] = [{"url": "", "user": "", "pass": ""}] * 3
    machine.socket.answers["pools"] = {"STATUS": [{"STATUS": "S"}], "POOLS": []}
    before = await obey(driver, Sleep())
    assert (await driver.read_back(Sleep(), before)).effect is Effect.SHOWN


async def test_an_older_interface_is_not_written(driver, machine):
    machine.conf = _without(machine.conf, "bitmain-work-mode")
    with pytest.raises(Unsupported, match="older"):
        await driver.apply(Sleep())
    assert machine.stored() == []


async def test_another_machine_at_the_address(driver, machine):
    before = await obey(driver, Sleep())
    machine.system["macaddr"] = "02:42:AC:11:00:99"
    posted = len(machine.stored())
    with pytest.raises(IdentityChanged):
        await driver.apply(Wake())
    with pytest.raises(IdentityChanged):
        await driver.read_back(Sleep(), before)
    assert len(machine.stored()) == posted


async def test_the_meant_mac_is_checked_before_the_first_write(machine, ports):
    driver = AntminerStock("127.0.0.1", ports, LOGIN, miner_profiles()["antminer-stock"], "02:42:ac:11:00:99")
    with pytest.raises(IdentityChanged):
        await driver.apply(Sleep())
    assert machine.stored() == []
    await driver.aclose()


async def test_no_write_without_a_mac(driver, machine):
    del machine.system["macaddr"]
    with pytest.raises(IncompleteRead):
        await driver.apply(Reboot())
    assert machine.web.posts() == []


async def test_pools_are_shown_when_stored_and_in_use(driver, machine):
    action = SetPools(NEW_POOLS)
    before = await obey(driver, action)
    assert machine.stored()[0]["pools"][1:] == [{"url": "", "user": "", "pass": ""}] * 2
    assert (await driver.read_back(action, before)).effect is Effect.SHOWN
    machine.elapsed_s = 90_000
    assert (await driver.read_back(action, before)).effect is Effect.NOT_SHOWN
    machine.conf["pools"][0]["url"] = "stratum+tcp://thief.example:1"
    assert (await driver.read_back(action, before)).effect is Effect.NOT_SHOWN


@pytest.mark.parametrize("pools", [(), NEW_POOLS * 4])
async def test_pool_count(driver, machine, pools):
    with pytest.raises(Rejected):
        await driver.apply(SetPools(pools))
    assert machine.stored() == []


async def test_power_mode(driver, machine):
    before = await obey(driver, SetPowerMode("low"))
    assert (await driver.read_back(SetPowerMode("low"), before)).effect is Effect.SHOWN
    assert (await driver.read_back(SetPowerMode("normal"), before)).effect is Effect.NOT_SHOWN


async def test_power_mode_never_wakes(driver, machine):
    await obey(driver, Sleep())
    posted = len(machine.stored())
    with pytest.raises(Rejected, match="wake"):
        await driver.apply(SetPowerMode("low"))
    assert len(machine.stored()) == posted


async def test_reboot_is_shown_by_a_young_process(driver, machine):
    before = await obey(driver, Reboot())
    assert (await driver.read_back(Reboot(), before)).effect is Effect.NOT_SHOWN
    machine.elapsed_s = 3
    assert (await driver.read_back(Reboot(), before)).effect is Effect.SHOWN
    assert (await driver.read_back(Reboot(), None)).effect is Effect.UNSEEN


async def test_locate(driver, machine):
    for on in (True, False):
        assert await obey(driver, Locate(on)) is None
        assert (await driver.read_back(Locate(on), None)).effect is Effect.SHOWN
        assert (await driver.read_back(Locate(not on), None)).effect is Effect.NOT_SHOWN


@pytest.mark.parametrize("action", [SetPowerLimit(2500), Restart(), ReadNow(), SetPowerMode("turbo")])
async def test_what_the_firmware_cannot_do(driver, machine, action):
    with pytest.raises(Unsupported):
        await driver.apply(action)
    assert machine.web.posts() == []


async def test_without_a_login_it_is_only_read(machine, ports):
    driver = AntminerStock("127.0.0.1", ports, None, miner_profiles()["antminer-stock"])
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
        b"",
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
