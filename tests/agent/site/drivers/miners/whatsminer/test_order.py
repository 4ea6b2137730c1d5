import pytest

from agent.site.devices.ports import Effect
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
from shared.errors import IdentityChanged, IncompleteRead, Unreachable, Unsupported
from shared.states import OpState

POOLS = (Pool("stratum+tcp://pool-c.example:3333", "farm.2", "x"),)


ORDERS = [
    Sleep(),
    SetPowerLimit(3200),
    SetPowerMode("low"),
    SetPools(POOLS),
    Restart(),
    Reboot(),
    Locate(True),
]


@pytest.mark.parametrize("action", ORDERS)
async def test_obeyed_orders_are_shown(driver, machine, action):
    before = await driver.prepare(action)
    assert "131" in (await driver.apply(action)).text
    assert (await driver.read_back(action, before)).effect is Effect.SHOWN


@pytest.mark.parametrize("action", ORDERS)
async def test_acknowledged_and_nothing_happened_is_not_shown(driver, machine, action):
    machine.obeys = False
    before = await driver.prepare(action)
    assert "131" in (await driver.apply(action)).text
    assert (await driver.read_back(action, before)).effect is Effect.NOT_SHOWN


@pytest.mark.parametrize("action", [*ORDERS, Wake()])
async def test_a_dead_device_is_unseen(driver, machine, action):
    before = await driver.prepare(action)
    await machine.socket.stop()
    assert (await driver.read_back(action, before)).effect is Effect.UNSEEN
    with pytest.raises(Unreachable):
        await driver.read_hot()


async def test_sleep_and_wake(driver, machine):
    await driver.apply(Sleep())
    assert (await driver.read_hot()).op_state is OpState.SLEEPING
    before = await driver.prepare(Wake())
    assert (await driver.read_back(Wake(), before)).effect is Effect.NOT_SHOWN
    await driver.apply(Wake())
    assert (await driver.read_back(Wake(), before)).effect is Effect.SHOWN
    assert machine.writes[0] == {
        "cmd": "power_off",
        "respbefore": "true",
        "token": "vZFrXIkWPZ9WlVI4OzT8q0",
    }


async def test_off_by_flag_but_still_drawing_is_not_asleep(driver, machine):
    await driver.apply(Sleep())
    machine.row["Power_RT"] = 3300
    assert (await driver.read_back(Sleep(), None)).effect is Effect.NOT_SHOWN


async def test_the_flag_alone_is_no_proof(driver, machine):
    await driver.apply(Sleep())
    machine.row = {"MAC": machine.row["MAC"], "Elapsed": 5}
    assert (await driver.read_back(Sleep(), None)).effect is Effect.UNSEEN


async def test_a_limit_is_met_only_when_the_watts_are(driver, machine):
    await driver.apply(SetPowerLimit(3000))
    machine.row["Power_RT"] = 3390
    assert (await driver.read_back(SetPowerLimit(3000), None)).effect is Effect.NOT_SHOWN
    machine.row |= {"Power_RT": -1, "Power": -1}
    assert (await driver.read_back(SetPowerLimit(3000), None)).effect is Effect.UNSEEN


async def test_another_machine_at_the_address(driver, machine):
    await driver.apply(Locate(True))
    machine.row["MAC"] = "C4:11:04:00:11:99"
    with pytest.raises(IdentityChanged):
        await driver.apply(Sleep())
    with pytest.raises(IdentityChanged):
        await driver.read_back(Sleep(), None)
    assert len(machine.writes) == 1


async def test_no_write_without_a_mac(driver, machine):
    del machine.row["MAC"], machine.info["Msg"]["mac"]
    with pytest.raises(IncompleteRead):
        await driver.apply(Sleep())
    assert machine.writes == []


async def test_pools_are_not_replaced_unless_the_old_ones_were_read(driver, machine):
    machine.socket.answers["pools"] = b'{"POOLS":['
    with pytest.raises(IncompleteRead):
        await driver.apply(SetPools(POOLS))
    assert machine.writes == []


async def test_pools_are_not_replaced_where_the_answer_lists_none(driver, machine):
    machine.socket.answers["pools"] = {"STATUS": "E", "Code": 23, "Msg": "busy"}
    with pytest.raises(IncompleteRead):
        await driver.apply(SetPools(POOLS))
    assert machine.writes == []


@pytest.mark.parametrize("version", ["beta", "20310101.11.REL"])
async def test_a_firmware_that_came_by_upgrade_is_only_read(driver, machine, version):
    await driver.identify()
    assert driver.verbs
    machine.socket.answers["get_version"] = {"STATUS": "S", "Code": 131, "Msg": {"fw_ver": version}}
    with pytest.raises(Unsupported, match="only read"):
        await driver.apply(Sleep())
    assert machine.writes == []
    assert driver.verbs == frozenset()


async def test_all_three_pools_are_always_written(driver, machine):
    acknowledgement = await driver.apply(SetPools(POOLS))
    written = machine.writes[0]
    assert (written["pool1"], written["worker1"], written["passwd1"]) == (POOLS[0].url, "farm.2", "x")
    assert [written[key] for key in ("pool2", "worker2", "passwd2", "pool3", "worker3", "passwd3")] == [""] * 6
    assert b"pool-a.example" in acknowledgement.evidence[0].raw


async def test_unknown_firmware_is_only_read(driver, machine):
    machine.socket.answers["get_version"] = {"STATUS": "S", "Code": 131, "Msg": {"fw_ver": "beta"}}
    await driver.identify()
    assert driver.verbs == frozenset()
    with pytest.raises(Unsupported, match="only read"):
        await driver.apply(Sleep())
    assert machine.writes == []


@pytest.mark.parametrize("action", [ReadNow(), SetPowerMode("turbo")])
async def test_what_the_firmware_cannot_do(driver, machine, action):
    with pytest.raises(Unsupported):
        await driver.apply(action)
    assert machine.writes == []
