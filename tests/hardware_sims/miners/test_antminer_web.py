"""The CGI of an Antminer: documents, and the write that replaces everything."""

import asyncio
import json
import re
from contextlib import AsyncExitStack
from hashlib import md5

import pytest

from hardware_sims.faults import Fault
from hardware_sims.miners.antminer import AntminerServer, Firmware
from hardware_sims.miners.machine import MachineState

OLD = Firmware("Fri Nov 26 17:37:29 CST 2021")
STORED = {"stats": "success", "code": "M000", "msg": "OK!"}
EMPTY = {"url": "", "user": "", "pass": ""}


class Browser:
    """A logged-in client: keeps connection, nonce and count."""

    def __init__(self, connection) -> None:
        self._connection = connection
        self._nonce, self._count = "", 0

    async def send(self, method: str, name: str, body: bytes = b""):
        if not self._nonce:
            challenge = (await self._connection.send("GET", "/")).headers["www-authenticate"]
            self._nonce = re.search(r'nonce="(\w+)"', challenge)[1]
        self._count += 1
        uri, nc = f"/cgi-bin/{name}.cgi", f"{self._count:08x}"
        who = md5(b"root:antMiner Configuration:k33p1t").hexdigest()
        what = md5(f"{method}:{uri}".encode()).hexdigest()
        response = md5(f"{who}:{self._nonce}:{nc}:c:auth:{what}".encode()).hexdigest()
        header = (
            f'Digest username="root", realm="antMiner Configuration", nonce="{self._nonce}", uri="{uri}", '
            f'response="{response}", cnonce="c", qop=auth, nc={nc}'
        )
        return await self._connection.send(method, uri, body, {"Authorization": header})

    async def get(self, name: str):
        reply = await self.send("GET", name)
        assert reply.status == 200
        return reply.json

    async def post(self, name: str, document) -> dict:
        return (await self.send("POST", name, json.dumps(document).encode())).json


@pytest.fixture
async def login(machine, faults, serve, web):
    """Start a unit with this build; gives a logged-in client."""
    async with AsyncExitStack() as stack:

        async def login(firmware: Firmware = OLD) -> Browser:
            ports = await serve(AntminerServer(machine, faults, firmware=firmware))
            return Browser(await stack.enter_async_context(web(ports[80])))

        yield login


# Reads


async def test_summary(login):
    reply = await (await login()).get("summary")
    assert reply["STATUS"] == {"STATUS": "S", "when": 1750005626, "Msg": "summary", "api_version": "1.0.0"}
    assert reply["INFO"]["type"] == "Antminer S19j Pro"
    row = reply["SUMMARY"][0]
    assert (row["rate_5s"], row["rate_30m"], row["rate_avg"]) == (101_000.0, 97_000.0, 96_000.0)
    assert (row["rate_ideal"], row["rate_unit"], row["hw_all"], row["elapsed"]) == (102_000.0, "GH/s", 21, 3600)
    assert [(check["type"], check["status"]) for check in row["status"]] == [
        ("rate", "s"),
        ("network", "s"),
        ("fans", "s"),
        ("temp", "s"),
    ]


async def test_summary_complains(login, machine):
    browser = await login()
    machine.boards[0].alive = False
    machine.fan_rpm = (6000.0, 0.0)
    machine.pools = []
    machine.state = MachineState.STOPPED_THERMAL
    checks = (await browser.get("summary"))["SUMMARY"][0]["status"]
    assert {check["status"] for check in checks} == {"e"}
    assert all(check["code"] and check["msg"] for check in checks)


async def test_stats_counts_boards_from_zero(login, machine):
    machine.boards[1].alive = False
    row = (await (await login()).get("stats"))["STATS"][0]
    first, dead, _ = row["chain"]
    assert (first["index"], first["rate_real"], first["asic_num"], first["sn"]) == (0, 33_500.0, 126, "SNB0")
    assert first["temp_pcb"] == [45, 46, 55, 56]
    assert first["temp_chip"] == [60, 61, 70, 71]
    assert (dead["asic_num"], dead["temp_pcb"], dead["eeprom_loaded"]) == (0, [], False)
    assert row["fan"] == [6000, 6010, 5990, 6005]
    assert row["miner-mode"] == 0


async def test_pools_and_identity(login):
    browser = await login()
    assert [pool["index"] for pool in (await browser.get("pools"))["POOLS"]] == [0, 1]
    info = await browser.get("get_system_info")
    assert (info["minertype"], info["macaddr"], info["serinum"]) == ("Antminer S19j Pro", "AA:BB:CC:00:11:22", "SN0001")
    assert info["system_filesystem_version"] == OLD.version
    network = await browser.get("get_network_info")
    assert (network["macaddr"], network["conf_nettype"]) == ("AA:BB:CC:00:11:22", "DHCP")


async def test_log_is_text(login):
    reply = await (await login()).send("GET", "log")
    assert reply.headers["content-type"] == "text/plain"
    assert b"chain 2: ok" in reply.body


@pytest.mark.parametrize(("method", "name"), [("GET", "nonsense"), ("GET", "set_miner_conf"), ("GET", "blink")])
async def test_404(login, method, name):
    assert (await (await login()).send(method, name)).status == 404


# The configuration


async def test_the_configuration_always_shows_three_pools(login):
    document = await (await login()).get("get_miner_conf")
    assert [pool["url"][-5:] for pool in document["pools"]] == [":3333", "le:25", ""]
    assert document["pools"][2] == EMPTY
    assert document["bitmain-work-mode"] == 0
    assert (document["bitmain-fan-ctrl"], document["bitmain-fan-pwm"]) == (False, "100")
    assert document["bitmain-freq-level"] == "100"


async def test_the_whole_document_with_one_change_changes_one_thing(login, machine):
    browser = await login()
    before = await browser.get("get_miner_conf")
    assert await browser.post("set_miner_conf", before | {"miner-mode": 1}) == STORED
    assert machine.orders == ["sleep"]
    assert await browser.get("get_miner_conf") == before | {"bitmain-work-mode": 1}
    assert await browser.post("set_miner_conf", before | {"miner-mode": 0}) == STORED
    assert machine.orders == ["sleep", "wake"]
    assert await browser.post("set_miner_conf", before | {"miner-mode": 3}) == STORED
    assert machine.orders[2:] == [("mode", "low")]
    assert (await browser.get("get_miner_conf"))["bitmain-work-mode"] == 3


async def test_an_unchanged_document_still_restarts(login, machine):
    browser = await login()
    await browser.post("set_miner_conf", await browser.get("get_miner_conf"))
    assert machine.orders == ["restart"]


async def test_a_partial_document_wipes_the_pools(login, machine):
    browser = await login()
    assert await browser.post("set_miner_conf", {"miner-mode": 1}) == STORED
    assert machine.orders == ["sleep", "pools"]
    assert (await browser.get("get_miner_conf"))["pools"] == [EMPTY] * 3


async def test_a_missing_pool_is_gone_and_a_missing_setting_is_the_factorys(login, machine):
    browser = await login()
    document = await browser.get("get_miner_conf")
    await browser.post("set_miner_conf", document | {"bitmain-fan-ctrl": True, "bitmain-fan-pwm": "80"})
    assert (await browser.get("get_miner_conf"))["bitmain-fan-pwm"] == "80"
    await browser.post("set_miner_conf", {"pools": document["pools"][:1], "miner-mode": 0})
    after = await browser.get("get_miner_conf")
    assert [pool.url for pool in machine.pools] == ["stratum+tcp://pool-a.example:3333"]
    assert (after["bitmain-fan-ctrl"], after["bitmain-fan-pwm"]) == (False, "100")


async def test_a_missing_mode_wakes_a_sleeper(login, machine):
    browser = await login()
    document = await browser.get("get_miner_conf")
    machine.sleep()
    del document["bitmain-work-mode"]
    assert await browser.post("set_miner_conf", document) == STORED
    assert not machine.asleep_by_order


@pytest.mark.parametrize(
    ("firmware", "key", "value", "obeys"),
    [
        (OLD, "miner-mode", 1, True),
        (OLD, "bitmain-work-mode", 1, False),
        (OLD, "miner-mode", "1", False),
        (OLD, "miner-mode", 7, False),
        (OLD, "miner-mode", True, False),
        (Firmware("x", mode_is_text=True), "miner-mode", "1", True),
        (Firmware("x", mode_is_text=True), "miner-mode", 1, False),
        (Firmware("x", mode_key="bitmain-work-mode"), "bitmain-work-mode", 1, True),
        (Firmware("x", mode_key="bitmain-work-mode"), "miner-mode", 1, False),
    ],
)
async def test_only_the_right_key_and_type_change_the_mode(login, machine, firmware, key, value, obeys):
    browser = await login(firmware)
    document = await browser.get("get_miner_conf")
    assert await browser.post("set_miner_conf", document | {key: value}) == STORED
    assert machine.asleep_by_order is obeys


async def test_the_mode_is_shown_in_the_builds_type(login, machine):
    machine.sleep()
    document = await (await login(Firmware("x", mode_is_text=True))).get("get_miner_conf")
    assert document["bitmain-work-mode"] == "1"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"pools":5}', b'{"pools":[1]}'])
async def test_a_bad_document_changes_nothing(login, machine, body):
    browser = await login()
    before = await browser.get("get_miner_conf")
    reply = (await browser.send("POST", "set_miner_conf", body)).json
    assert (reply["stats"], reply["code"]) == ("error", "M001")
    assert machine.orders == []
    assert await browser.get("get_miner_conf") == before


async def test_a_device_that_goes_down_at_the_first_order_never_gets_the_second(login, machine):
    browser = await login()
    machine.sleep = machine.reboot
    await browser.post("set_miner_conf", {"miner-mode": 1})
    assert machine.orders == ["reboot"]
    assert len(machine.pools) == 2


# Other writes


async def test_blink_wants_a_string(login, machine):
    browser = await login()
    assert await browser.post("blink", {"blink": "true"}) == {"code": "B000"}
    assert await browser.get("get_blink_status") == {"blink": True}
    assert await browser.post("blink", {"blink": "false"}) == {"code": "B100"}
    assert machine.orders == [("blink", True), ("blink", False)]
    assert await browser.post("blink", {"blink": True}) == {"code": "B001"}
    assert await browser.post("blink", {"blink": "maybe"}) == {"code": "B001"}
    assert len(machine.orders) == 2


async def test_reboot_drops_the_connection(login, machine):
    browser = await login()
    with pytest.raises(asyncio.IncompleteReadError):
        await browser.send("GET", "reboot")
    assert machine.orders == ["reboot"]


async def test_http_500_leaves_the_machine_alone(login, machine, faults):
    browser = await login()
    await browser.get("get_miner_conf")
    faults.set(Fault.HTTP500)
    assert (await browser.send("GET", "get_miner_conf")).status == 500
    assert (await browser.send("POST", "set_miner_conf", b"{}")).status == 500
    assert machine.orders == []


async def test_the_web_answers_in_sleep(login, machine):
    browser = await login(Firmware("x", rpc_sleeps=True))
    machine.sleep()
    assert (await browser.get("stats"))["STATS"]
