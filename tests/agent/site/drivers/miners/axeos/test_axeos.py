import json

import pytest

from agent.site.devices.ports import Effect
from agent.site.devices.reading import quality_of
from agent.site.drivers.miners import miner_profiles
from agent.site.drivers.miners.axeos import AxeOs
from shared.actions import Pool, Reboot, Restart, SetPools, SetPowerLimit, Sleep
from shared.errors import AuthFailed, IdentityChanged, IncompleteRead, ProtocolViolation, Rejected, Unsupported
from shared.quality import Quality
from shared.states import OpState, PowerSource

POOLS = (
    Pool("stratum+tcp://new-a.example:3333", "bc1qexample.a", "x"),
    Pool("new-b.example:4444", "bc1qexample.b", "y"),
)


@pytest.fixture
def info(web_device, recorded):
    info = recorded("axeos_info")

    def store(body):
        info.update(json.loads(body))
        return (200, b"")

    def restart(_body):
        info["uptimeSeconds"] = 3
        return (200, b"System will restart shortly.")

    web_device.answers.update(
        {
            "GET /api/system/info": lambda _: info,
            "PATCH /api/system": store,
            "POST /api/system/restart": restart,
        }
    )
    return info


@pytest.fixture
async def driver(info, ports):
    driver = AxeOs("127.0.0.1", ports, None, miner_profiles()["axeos"])
    yield driver
    await driver.aclose()


async def test_hot_reading(driver, web_device):
    reading = await driver.read_hot()
    assert reading.op_state is OpState.HASHING
    assert reading.hashrate_ths == pytest.approx(1.20531)
    assert reading.hashrate_expected_ths == pytest.approx(1.224)
    assert (reading.power_w, reading.power_source) == (17.22, PowerSource.MEASURED_OUTPUT)
    assert (reading.chip_temp_c, reading.board_temp_c, reading.fan_rpm) == (61.25, 58, 3820)
    assert (reading.uptime_s, reading.mining_uptime_s, reading.accepted_shares) == (86000, 86000, 991)
    assert len(web_device.asked) == 1


async def test_full_reading(driver):
    reading = await driver.read_full()
    assert reading.pools == ("pool-a.example:3333", "stratum+tcp://pool-b.example:4444")
    assert reading.boards[0].frequency_mhz == 600
    assert reading.mac == "f0:9e:9e:10:20:30"


async def test_expected_rate_follows_from_the_cores(driver, info):
    del info["expectedHashrate"]
    reading = await driver.read_hot()
    assert reading.hashrate_expected_ths == pytest.approx(1.224)
    assert quality_of(reading, "hashrate_expected_ths") is Quality.DERIVED


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"overheat_mode": 1}, OpState.STOPPED_THERMAL),
        ({"power_fault": "PG low"}, OpState.STOPPED_FAULT),
        ({"uptimeSeconds": 20}, OpState.STARTING),
        ({}, OpState.STOPPED_FAULT),
    ],
)
async def test_why_it_does_not_hash(driver, info, change, state):
    info.update({"hashRate": 0}, **change)
    assert (await driver.read_hot()).op_state is state


async def test_it_never_sleeps(driver, web_device):
    assert "sleep" not in driver.verbs
    for action in (Sleep(), SetPowerLimit(10)):
        with pytest.raises(Unsupported, match="outlet"):
            await driver.apply(action)
    assert web_device.posts() == []


@pytest.mark.parametrize("pools", [POOLS, POOLS[:1]])
async def test_pools(driver, web_device, info, pools):
    action = SetPools(pools)
    before = await driver.prepare(action)
    await driver.apply(action)
    assert [asked for asked, _ in web_device.posts()] == ["PATCH /api/system", "POST /api/system/restart"]
    settings = web_device.posts()[0][1]
    assert (settings["stratumURL"], settings["stratumPort"]) == ("new-a.example", 3333)
    assert settings["fallbackStratumUser"] == pools[-1].user
    assert (await driver.read_back(action, before)).effect is Effect.SHOWN
    info["uptimeSeconds"] = 90_000
    assert (await driver.read_back(action, before)).effect is Effect.NOT_SHOWN
    info["stratumURL"] = "thief.example"
    assert (await driver.read_back(action, before)).effect is Effect.NOT_SHOWN


@pytest.mark.parametrize("pools", [(), POOLS + POOLS, (Pool("not a pool", "x"),)])
async def test_pools_that_it_cannot_hold(driver, web_device, pools):
    with pytest.raises(Rejected):
        await driver.apply(SetPools(pools))
    assert web_device.posts() == []


@pytest.mark.parametrize("action", [Restart(), Reboot()])
async def test_restart(driver, info, action):
    before = await driver.prepare(action)
    assert (await driver.read_back(action, before)).effect is Effect.NOT_SHOWN
    await driver.apply(action)
    assert (await driver.read_back(action, before)).effect is Effect.SHOWN
    assert (await driver.read_back(action, None)).effect is Effect.UNSEEN


async def test_a_dead_device_is_unseen(driver, web_device):
    before = await driver.prepare(Reboot())
    await web_device.stop()
    assert (await driver.read_back(Reboot(), before)).effect is Effect.UNSEEN
    with pytest.raises(IncompleteRead):
        await driver.apply(Reboot())


async def test_another_device_at_the_address(driver, info, web_device):
    await driver.apply(Reboot())
    info["macAddr"] = "F0:9E:9E:10:20:99"
    with pytest.raises(IdentityChanged):
        await driver.apply(Reboot())
    with pytest.raises(IdentityChanged):
        await driver.read_back(Reboot(), None)
    assert len(web_device.posts()) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, b"Unauthorized"), AuthFailed),
        ((404, b""), Unsupported),
        ((500, b""), ProtocolViolation),
        (b"<html></html>", ProtocolViolation),
        (b"{}", ProtocolViolation),
        (b'{"hashRate":12', ProtocolViolation),
    ],
)
async def test_what_is_no_reading(driver, web_device, answer, error):
    web_device.answers["GET /api/system/info"] = answer
    with pytest.raises(error):
        await driver.read_hot()


async def test_identity(driver):
    found = await driver.identify()
    assert (found.mac, found.firmware, found.model) == ("f0:9e:9e:10:20:30", "v2.9.0", "BM1370")


@pytest.mark.parametrize("version", ["v3.0.0", "nightly", ""])
async def test_unknown_firmware_is_only_read(driver, info, web_device, version):
    info["version"] = version
    await driver.identify()
    assert driver.verbs == frozenset()
    with pytest.raises(Unsupported, match="only read"):
        await driver.apply(Restart())
    assert {asked for asked, _ in web_device.asked} == {"GET /api/system/info"}
