import asyncio
import json

import pytest

from agent.site.commands.ledger import Ledger
from agent.site.devices.ports import Effect
from agent.site.drivers.miners import FAMILIES, Credentials, miner_profiles
from agent.site.drivers.miners.antminer import AntminerStock
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
    DeviceError,
    IdentityChanged,
    IncompleteRead,
    Rejected,
    Unreachable,
    Unsupported,
)
from shared.site import normal_mac
from shared.states import OpState

LOGIN = Credentials("root", "s3cret")
OK = {"stats": "success", "code": "M000", "msg": "OK!"}
GET_CONF, SET_CONF = "GET /cgi-bin/get_miner_conf.cgi", "POST /cgi-bin/set_miner_conf.cgi"
NEW_POOLS = (Pool("stratum+tcp://pool-c.example:3333", "farm.2", "x"),)


async def obey(driver, action):
    before = await driver.prepare(action)
    await driver.apply(action)
    return before


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


async def test_wake_knows_the_mode_before_also_after_a_restart_of_the_agent(machine, ports, tmp_path):
    machine.conf["bitmain-work-mode"] = "3"
    mac = normal_mac(machine.system["macaddr"])
    for action in (Sleep(), Wake()):
        ledger = Ledger(tmp_path / "commands.db")
        ledger.open()
        driver = AntminerStock("127.0.0.1", ports, LOGIN, miner_profiles()["antminer-stock"], mac, lessons=ledger)
        await driver.apply(action)
        await driver.aclose()
        ledger.close()
    assert machine.conf["bitmain-work-mode"] == "3"


@pytest.mark.parametrize("mask", ["******", "**", "••••"])
@pytest.mark.parametrize("action", [Sleep(), SetPowerMode("low")])
async def test_a_hidden_password_is_never_written_back(driver, machine, mask, action):
    machine.conf["pools"][0]["pass"] = mask
    with pytest.raises(Unsupported, match="hides the password of pool"):
        await driver.apply(action)
    assert machine.stored() == []


async def test_pools_that_are_ordered_may_replace_hidden_ones(driver, machine):
    machine.conf["pools"][0]["pass"] = "******"
    await driver.apply(SetPools(NEW_POOLS))
    assert [pool["pass"] for pool in machine.stored()[0]["pools"]] == ["x", "", ""]


@pytest.mark.parametrize("key", ["miner-mode", "bitmain-work-mode"])
async def test_one_write_serves_either_mode_key(driver, machine, key):
    machine.key = key
    for action in (Sleep(), Wake(), SetPowerMode("low"), SetPowerMode("normal")):
        machine.elapsed_s = 86_412
        written = len(machine.stored())
        before = await obey(driver, action)
        assert len(machine.stored()) == written + 1
        assert (await driver.read_back(action, before)).effect is Effect.SHOWN


async def test_the_other_type_is_tried_once_and_known_after_a_restart_of_the_agent(machine, ports, tmp_path):
    machine.wants = int  # while it reads as text
    for start, writes in enumerate((2, 1)):
        ledger = Ledger(tmp_path / "commands.db")
        ledger.open()
        driver = AntminerStock("127.0.0.1", ports, LOGIN, miner_profiles()["antminer-stock"], lessons=ledger)
        written = len(machine.stored())
        await driver.apply(Wake() if start else Sleep())
        await driver.aclose()
        ledger.close()
        assert len(machine.stored()) == written + writes
        assert machine.conf["bitmain-work-mode"] == ("0" if start else "1")
    assert [type(document["miner-mode"]) for document in machine.stored()] == [str, int, int]


async def test_nothing_is_learnt_from_a_machine_that_stores_neither(driver, machine, lessons):
    machine.key = "something-else"
    await driver.apply(Sleep())
    assert len(machine.stored()) == 2
    assert not lessons._lessons


async def test_new_pools_do_not_wake_a_machine_whose_mode_is_read_under_another_name(driver, machine):
    machine.key = "miner-mode"
    await driver.apply(Sleep())
    await driver.apply(SetPools(NEW_POOLS))
    assert machine.conf["bitmain-work-mode"] == "1"


async def test_the_whole_document_is_posted_and_the_old_one_kept(driver, machine):
    acknowledgement = await driver.apply(Sleep())
    expected = machine.recorded("antminer_conf") | {"miner-mode": "1", "bitmain-work-mode": "1"}
    assert machine.stored() == [expected]
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


async def test_a_failure_of_the_second_write_is_no_refusal(driver, machine):
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
    driver = FAMILIES["antminer-stock"](
        "127.0.0.1", ports, LOGIN, miner_profiles()["antminer-stock"], "02:42:ac:11:00:99"
    )
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
