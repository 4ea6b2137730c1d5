import asyncio
import base64
import hashlib
import json
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from agent.site.devices.ports import Effect
from agent.site.devices.reading import quality_of
from agent.site.drivers.miners import Credentials, miner_profiles
from agent.site.drivers.miners.whatsminer import WhatsminerV2
from agent.site.drivers.miners.whatsminer.md5crypt import md5_crypt
from agent.site.drivers.miners.whatsminer.session import derive_token, seal, unseal
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
    IdentityChanged,
    IncompleteRead,
    ProtocolViolation,
    Rejected,
    Unreachable,
    Unsupported,
    WritesDisabled,
)
from shared.quality import Quality
from shared.states import OpState, PowerSource

OK = {"STATUS": "S", "When": 1, "Code": 131, "Msg": "API command OK", "Description": ""}
SALT = {"time": "5626", "salt": "Zk3vQp1x", "newsalt": "m8TyRw2c"}
POOLS = (Pool("stratum+tcp://pool-c.example:3333", "farm.2", "x"),)


def test_vector_of_the_handshake():
    token = derive_token("admin", SALT["salt"], SALT["newsalt"], SALT["time"], 0.0)
    assert md5_crypt("admin", SALT["salt"]) == "PUrHAtHUhfqvthzb1Kva20"
    assert token.sign == "vZFrXIkWPZ9WlVI4OzT8q0"
    assert token.key.hex().startswith("984cc925")
    assert token.key.hex().endswith("eb787d7a")
    plain = b'{"cmd": "power_off", "respbefore": "true", "token": "vZFrXIkWPZ9WlVI4OzT8q0"}'
    request = json.loads(seal(token, plain))
    assert request["enc"] == 1
    assert request["data"].startswith("rdblgYzYDWC50m7i")
    assert request["data"].endswith("aZUzCYhNA=")
    assert unseal(token, request["data"]) == plain
    assert token.sign not in repr(token)


@pytest.mark.parametrize(
    ("password", "salt", "hashed"),
    [
        ("password", "xxxxxxxx", "UYCIxa628.9qXjpQCjM4a."),
        ("", "abc", "XEkwBvPX3gs5.2fG88bnc/"),
        ("0123456789abcdefXYZ", "saltsaltmore", None),
    ],
)
def test_md5_crypt_agrees_with_openssl(password, salt, hashed):
    if shutil.which("openssl"):
        said = subprocess.run(["openssl", "passwd", "-1", "-salt", salt[:8], password], capture_output=True, check=True)
        hashed = said.stdout.decode().strip().split("$")[3]
    if hashed is not None:
        assert md5_crypt(password, salt) == hashed


@pytest.mark.parametrize("sealed", ["", "%%%", "QUJD", "é"])
def test_what_is_no_sealed_reply(sealed):
    with pytest.raises(ProtocolViolation):
        unseal(derive_token("a", "b", "c", "d", 0.0), sealed)


class Whatsminer:
    """Deciphers writes by itself and does what they say, unless `obeys` is off."""

    def __init__(self, socket_device, recorded):
        self.socket = socket_device
        self.row = recorded("whatsminer_summary")["SUMMARY"][0]
        self.state = recorded("whatsminer_status")
        self.info = recorded("whatsminer_get_miner_info")
        self.pools = recorded("whatsminer_pools")
        self.obeys = True
        self.encrypted = True
        self.writes = []
        self.tokens = 0
        self.replies = []
        socket_device.answers.update(
            summary=lambda _: {"STATUS": [{"STATUS": "S", "Msg": "Summary"}], "SUMMARY": [self.row]},
            status=lambda _: self.state,
            pools=lambda _: self.pools,
            get_miner_info=lambda _: self.info,
            get_token=self.give_token,
            enc=self.write,
        )
        for name in ("devs", "get_version", "devdetails", "get_error_code"):
            socket_device.answers[name] = recorded(f"whatsminer_{name}")

    def give_token(self, _request):
        self.tokens += 1
        return {"STATUS": "S", "When": 1, "Code": 134, "Msg": SALT, "Description": ""}

    def write(self, request):
        key = hashlib.sha256(b"PUrHAtHUhfqvthzb1Kva20").digest()
        cipher = Cipher(AES(key), ECB())
        command = json.loads(cipher.decryptor().update(base64.b64decode(request["data"])).rstrip(b"\0"))
        assert command["token"] == "vZFrXIkWPZ9WlVI4OzT8q0"
        self.writes.append(command)
        reply = self.replies.pop(0) if self.replies else OK
        if reply is OK and self.obeys:
            self.obey(command)
        if isinstance(reply, bytes) or not self.encrypted:
            return reply
        raw = json.dumps(reply).encode()
        sealed = cipher.encryptor().update(raw + b"\0" * (-len(raw) % 16))
        return {"enc": base64.b64encode(sealed).decode()}

    def obey(self, command):
        match command["cmd"]:
            case "power_off":
                self.state["Msg"]["mineroff"] = "true"
                self.row |= {"MHS 5s": 0.0, "HS RT": 0.0, "MHS 1m": 0.0, "Power": 22, "Power_RT": 21}
            case "power_on":
                self.state["Msg"]["mineroff"] = "false"
                self.row |= {"MHS 5s": 1.2e8, "Elapsed": 4, "Power_RT": 3300}
            case "adjust_power_limit":
                limit_w = int(command["power_limit"])
                self.row |= {"Power Limit": limit_w, "Power_RT": limit_w - 20, "Elapsed": 3}
            case "set_low_power" | "set_normal_power" | "set_high_power":
                self.row |= {"Power Mode": command["cmd"].split("_")[1].title(), "Elapsed": 3}
            case "update_pools":
                self.pools = {
                    "POOLS": [{"POOL": n, "URL": command[f"pool{n}"], "User": command[f"worker{n}"]} for n in (1, 2, 3)]
                }
            case "restart_btminer":
                self.row["Elapsed"] = 2
            case "reboot":
                self.row |= {"Elapsed": 2, "Uptime": 30}
            case "set_led":
                self.info["Msg"]["ledstat"] = command.get("param", "manual")


@pytest.fixture
def machine(socket_device, recorded):
    return Whatsminer(socket_device, recorded)


@pytest.fixture
def driver(machine, ports):
    return WhatsminerV2("127.0.0.1", ports, Credentials("admin", "admin"), miner_profiles()["whatsminer-v2"])


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


async def test_one_token_serves_many_writes(driver, machine):
    for _ in range(3):
        await driver.apply(Locate(True))
    assert machine.tokens == 1


async def test_a_token_is_replaced_before_the_device_forgets_it(driver, machine, monkeypatch):
    await driver.apply(Locate(True))
    loop = asyncio.get_running_loop()
    now_s = loop.time
    monkeypatch.setattr(loop, "time", lambda: now_s() + 26 * 60)
    await driver.apply(Locate(False))
    assert machine.tokens == 2


async def test_a_refused_token_is_replaced_once(driver, machine):
    refused = {"STATUS": "E", "Code": 135, "Msg": "check token err"}
    machine.replies = [refused]
    await driver.apply(Locate(True))
    assert (machine.tokens, len(machine.writes)) == (2, 2)
    machine.replies = [refused, refused]
    with pytest.raises(AuthFailed):
        await driver.apply(Locate(True))
    assert len(machine.writes) == 4


async def test_backs_off_where_too_many_tokens_are_out(driver, machine):
    machine.socket.answers["get_token"] = {"STATUS": "E", "Code": 136, "Msg": "token over max times"}
    for _ in range(3):
        with pytest.raises(Rejected, match="token"):
            await driver.apply(Locate(True))
    assert [request.get("cmd") for request in machine.socket.asked].count("get_token") == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"STATUS": "E", "Code": 45, "Msg": "permission denied"}, WritesDisabled),
        ({"STATUS": "E", "Code": 14, "Msg": "invalid cmd"}, Unsupported),
        ({"STATUS": "E", "Code": 132, "Msg": "API command ERROR"}, Rejected),
        ({"STATUS": "E", "Code": 23, "Msg": "json error"}, Rejected),
        (b"can't access write cmd", WritesDisabled),
        (b'{"STATUS":"E","Code":45,"Msg":"can\'t access write cmd"}\0', WritesDisabled),
        (b'{"STATUS":"E","Code":132,"Msg":"API command ERROR"}\0', Rejected),
        (b"what?", ProtocolViolation),
        (b'{"enc":"AAAA"}', ProtocolViolation),
        (b'{"enc":"AAAAAAAAAAAAAAAAAAAAAA=="}', ProtocolViolation),
        (b"{}", ProtocolViolation),
        (b"", Unreachable),
    ],
)
async def test_refusals(driver, machine, reply, error):
    machine.replies = [reply]
    with pytest.raises(error):
        await driver.apply(Sleep())
    assert len(machine.writes) == 1


async def test_disabled_writes_come_with_instructions(driver, machine):
    machine.socket.answers["get_token"] = b"can't access write cmd"
    with pytest.raises(WritesDisabled, match="WhatsMinerTool"):
        await driver.apply(Sleep())


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
