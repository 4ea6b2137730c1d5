"""Whatsminer API v2 over its socket: reads, units, quirks, the handshake, each write and each code."""

import base64
import json

import pytest

from hardware_sims.faults import Fault
from hardware_sims.miners.machine import MachineState
from hardware_sims.miners.whatsminer import Firmware, WhatsminerServer
from hardware_sims.miners.whatsminer.md5crypt import md5crypt
from hardware_sims.miners.whatsminer.token import TOKEN_LIFE_S, Secret

PLAIN = Firmware("20230803.11.REL", "2.0.5", "H616")


@pytest.fixture
def machine(machine):
    machine.model = "M60S"
    return machine


@pytest.fixture
async def port(machine, faults, serve) -> int:
    return (await serve(WhatsminerServer(machine, faults, firmware=PLAIN)))[4028]


class Session:
    """A client after its handshake."""

    def __init__(self, port, ask, salts, password):
        self._port, self._ask = port, ask
        self.secret = Secret(password, salts["salt"])
        self.sign = md5crypt(self.secret.key + salts["time"], salts["newsalt"])

    async def send(self, order: dict) -> dict:
        """The reply as it came, encrypted or plain."""
        plain = json.dumps(order | {"token": self.sign}).encode()
        data = base64.b64encode(self.secret.encrypt(plain)).decode()
        return await self._ask(self._port, {"enc": 1, "data": data})

    async def order(self, cmd: str, **parameters) -> dict:
        """The decrypted reply; it must have been encrypted."""
        reply = await self.send({"cmd": cmd, **parameters})
        return json.loads(self.secret.decrypt(base64.b64decode(reply["enc"])))


@pytest.fixture
def shake(ask):
    async def shake(port: int, password: str = "k33p1t") -> Session:
        reply = await ask(port, "get_token", key="cmd")
        assert (reply["STATUS"], reply["Code"]) == ("S", 134)
        assert all(isinstance(value, str) for value in reply["Msg"].values())
        return Session(port, ask, reply["Msg"], password)

    return shake


# Reads


@pytest.mark.parametrize("key", ["cmd", "command"])
async def test_summary_units(port, ask, key):
    reply = await ask(port, "summary", key=key)
    assert reply["STATUS"][0]["Code"] == 11
    row = reply["SUMMARY"][0]
    assert row["MHS av"] == 96e6
    assert row["MHS 5s"] == 101e6
    assert row["MHS 1m"] == row["HS RT"] == 100e6
    assert row["Target MHS"] == 102_000_000
    assert row["Factory GHS"] == 100_000
    assert (row["Power"], row["Power Limit"], row["Power Mode"]) == (2950, 3000, "Normal")
    assert row["Voltage"] == 23_000
    assert (row["Temperature"], row["Chip Temp Max"], row["Env Temp"]) == (56.0, 71.0, 25.5)
    assert (row["Elapsed"], row["Uptime"]) == (3_600, 100_000)
    assert row["Hash Stable"] is True
    assert row["MAC"] == "AA:BB:CC:00:11:22"
    assert row["Firmware Version"] == "'20230803.11.REL'"


async def test_a_build_without_a_meter_says_minus_one(machine, faults, serve, ask):
    blind = Firmware("20201121.10.REL", "2.0.3", "H3", measures_power=False)
    ports = await serve(WhatsminerServer(machine, faults, firmware=blind))
    assert (await ask(ports[4028], "summary"))["SUMMARY"][0]["Power"] == -1


@pytest.mark.parametrize("command", ["devs", "edevs"])
async def test_devs_share_the_rate(port, ask, machine, command):
    machine.boards[1].alive, machine.boards[1].hashrate_ths = False, 0.0
    rows = (await ask(port, command))["DEVS"]
    assert [row["Slot"] for row in rows] == [0, 1, 2]
    assert [row["MHS 1m"] for row in rows] == [50e6, 0, 50e6]
    assert [row["Effective Chips"] for row in rows] == [126, 0, 126]
    assert rows[0]["Chip Frequency"] == 525
    assert rows[0]["PCB SN"] == "SNB0"


async def test_averages_survive_the_stop(port, ask, machine):
    for board in machine.boards:
        board.hashrate_ths = 0.0
    assert (await ask(port, "devs"))["DEVS"][0]["MHS av"] == 32e6


async def test_pools_count_from_one(port, ask):
    rows = (await ask(port, "pools"))["POOLS"]
    assert [(row["POOL"], row["Priority"]) for row in rows] == [(1, 0), (2, 1)]
    assert rows[0]["Stratum Active"] is True
    assert rows[0]["Accepted"] == 4000
    assert rows[1]["Accepted"] == 0


async def test_devdetails_identify_the_family(port, ask):
    rows = (await ask(port, "devdetails"))["DEVDETAILS"]
    assert {(row["Driver"], row["Model"]) for row in rows} == {("bitmicro", "M60S_VK30")}


async def test_versions(port, ask):
    assert (await ask(port, "get_version"))["Msg"]["api_ver"] == "2.0.5"
    assert (await ask(port, "version"))["Code"] == 14


async def test_status_speaks_in_strings(port, ask, machine):
    message = (await ask(port, "status"))["Msg"]
    assert (message["mineroff"], message["mineroff_reason"], message["mineroff_time"]) == ("false", "", "")
    machine.sleep()
    message = (await ask(port, "status"))["Msg"]
    assert (message["mineroff"], message["mineroff_reason"]) == ("true", "by whatsminer api")
    assert message["mineroff_time"] == "2025-06-15 16:40:26"
    assert all(isinstance(value, str) for value in message.values())


async def test_miner_info_and_psu(port, ask, machine):
    assert (await ask(port, "get_miner_info"))["Msg"]["ledstat"] == "auto"
    machine.blinking = True
    info = (await ask(port, "get_miner_info"))["Msg"]
    assert info["ledstat"] != "auto"
    assert info["minersn"] == "SN0001"
    psu = (await ask(port, "get_psu"))["Msg"]
    assert all(isinstance(value, str) for value in psu.values())
    assert int(psu["fan_speed"]) > 0
    assert psu["pin"] == "2950"


async def test_errors_are_dated_from_when_they_were_seen(port, ask, machine):
    assert (await ask(port, "get_error_code"))["Msg"]["error_code"] == []
    machine.boards[2].alive = False
    expected = [{"532": "2025-06-15 16:40:26"}]
    assert (await ask(port, "get_error_code"))["Msg"]["error_code"] == expected
    machine.pass_time(60)
    assert (await ask(port, "get_error_code"))["Msg"]["error_code"] == expected


@pytest.mark.parametrize(
    ("state", "code"),
    [(MachineState.STOPPED_THERMAL, "350"), (MachineState.FAULT, "205"), (MachineState.HASHING, None)],
)
async def test_error_numbers(port, ask, machine, state, code):
    machine.state = state
    codes = [key for entry in (await ask(port, "get_error_code"))["Msg"]["error_code"] for key in entry]
    assert codes == ([code] if code else [])


async def test_some_builds_list_bare_numbers(machine, faults, serve, ask):
    machine.boards[0].alive = False
    ports = await serve(WhatsminerServer(machine, faults, firmware=Firmware("x", "2.0.6", "y", error_codes="bare")))
    assert (await ask(ports[4028], "get_error_code"))["Msg"]["error_code"] == [530]


async def test_api_2_0_4_writes_a_list_like_a_dict(machine, faults, serve, exchange):
    machine.boards[0].alive = machine.boards[1].alive = False
    old = Firmware("x", "2.0.4", "y", error_codes="dict_in_list")
    ports = await serve(WhatsminerServer(machine, faults, firmware=old))
    reply = await exchange(ports[4028], b'{"cmd":"get_error_code"}')
    assert b'"error_code":["530":"2025-06-15 16:40:26","531":"2025-06-15 16:40:26"]' in reply


async def test_joined_tables(port, ask):
    reply = await ask(port, "summary+devs+pools")
    assert reply["id"] == 1
    assert reply["summary"][0]["SUMMARY"][0]["MHS 5s"] == 101e6
    assert len(reply["devs"][0]["DEVS"]) == 3
    assert reply["pools"][0]["POOLS"][0]["POOL"] == 1


@pytest.mark.parametrize("command", ["summary+status", "get_version+get_psu", "summary+nonsense", "nonsense", ""])
async def test_code_14_refuses_joined_messages_and_unknown_commands(port, ask, command):
    reply = await ask(port, command)
    assert (reply["STATUS"], reply["Code"], reply["Msg"]) == ("E", 14, "invalid cmd")


@pytest.mark.parametrize("request_", [{}, {"cmd": 5}, {"parameter": "0"}])
async def test_code_14_for_no_command(port, ask, request_):
    assert (await ask(port, request_))["Code"] == 14


async def test_code_23_for_broken_json(port, exchange):
    reply = json.loads((await exchange(port, b"{summary}"))[:-1])
    assert (reply["STATUS"], reply["Code"]) == ("E", 23)


# Handshake


async def test_order_and_encrypted_acknowledgement(port, shake, machine):
    session = await shake(port)
    reply = await session.order("power_off", respbefore="true")
    assert (reply["STATUS"], reply["Code"], reply["Msg"]) == ("S", 131, "API command OK")
    assert machine.orders == ["sleep"]
    assert (await session.order("power_on"))["Code"] == 131
    assert machine.orders == ["sleep", "wake"]


async def test_reads_may_be_encrypted_too(port, shake):
    session = await shake(port)
    assert (await session.order("status"))["Msg"]["mineroff"] == "false"


async def test_code_23_for_a_wrong_password(port, shake, machine):
    session = await shake(port, password="wr0ng")
    reply = await session.send({"cmd": "power_off"})
    assert (reply["Code"], reply["Msg"]) == (23, "enc json load err")
    assert machine.orders == []


async def test_code_135_for_a_wrong_sign(port, shake, machine):
    session = await shake(port)
    session.sign = session.sign[::-1]
    assert (await session.send({"cmd": "power_off"}))["Code"] == 135
    assert machine.orders == []


async def test_code_135_for_an_old_token_and_a_new_one_helps(port, shake, machine):
    session = await shake(port)
    machine.pass_time(TOKEN_LIFE_S)
    assert (await session.send({"cmd": "power_off"}))["Code"] == 135
    assert (await (await shake(port)).order("power_off"))["Code"] == 131


async def test_code_135_for_the_token_of_another_address(port, ask, shake):
    session = await shake(port)
    data = base64.b64encode(session.secret.encrypt(json.dumps({"cmd": "status", "token": session.sign}).encode()))
    reply = await ask(port, {"enc": 1, "data": data.decode()}, client="127.0.0.5")
    assert reply["Code"] == 135


async def test_code_136_after_32_tokens(port, ask):
    codes = [(await ask(port, "get_token"))["Code"] for _ in range(33)]
    assert codes == [134] * 32 + [136]
    assert (await ask(port, "get_token", client="127.0.0.5"))["Code"] == 134


@pytest.mark.parametrize("data", ["no base64!", 5, None])
async def test_code_137_for_what_is_no_base64(port, ask, data):
    assert (await ask(port, {"enc": 1, "data": data}))["Code"] == 137


async def test_code_23_for_a_broken_block(port, ask):
    assert (await ask(port, {"enc": 1, "data": base64.b64encode(b"short").decode()}))["Code"] == 23


async def test_code_45_for_an_order_in_plain_text(port, ask, machine):
    reply = await ask(port, "power_off")
    assert (reply["STATUS"], reply["Code"]) == ("E", 45)
    assert machine.orders == []


@pytest.mark.parametrize("request_", [{"cmd": "get_token"}, {"cmd": "power_off"}, {"enc": 1, "data": "AAAA"}])
@pytest.mark.parametrize(("password", "enabled"), [("admin", True), ("k33p1t", False)])
async def test_writes_disabled(machine, faults, serve, ask, request_, password, enabled):
    machine.password = password
    ports = await serve(WhatsminerServer(machine, faults, firmware=PLAIN, api_enabled=enabled))
    reply = await ask(ports[4028], request_)
    assert (reply["STATUS"], reply["Code"], reply["Msg"]) == ("E", 45, "can't access write cmd")
    assert (await ask(ports[4028], "summary"))["SUMMARY"]


# Writes


@pytest.mark.parametrize(
    ("command", "parameters", "orders"),
    [
        ("restart_btminer", {}, ["restart"]),
        ("set_low_power", {}, [("mode", "low")]),
        ("set_normal_power", {}, [("mode", "normal")]),
        ("set_high_power", {}, [("mode", "high")]),
        ("adjust_power_limit", {"power_limit": "2500"}, [("limit", 2500)]),
        ("set_power_pct", {"percent": "80"}, [("limit", 2400)]),
        ("set_led", {"param": "auto"}, [("blink", False)]),
        ("set_led", {"color": "red", "period": 200, "duration": 100, "start": 0}, [("blink", True)]),
    ],
)
async def test_writes_reach_the_machine(port, shake, machine, command, parameters, orders):
    assert (await (await shake(port)).order(command, **parameters))["Code"] == 131
    assert machine.orders == orders


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("adjust_power_limit", {}),
        ("adjust_power_limit", {"power_limit": 2500}),
        ("adjust_power_limit", {"power_limit": "-5"}),
        ("adjust_power_limit", {"power_limit": "100000"}),
        ("set_power_pct", {"percent": "101"}),
        ("set_led", {}),
        ("set_led", {"color": "red", "period": "200", "duration": 100, "start": 0}),
        ("update_pools", {"pool1": "stratum+tcp://a:1", "worker1": "w", "passwd1": "x"}),
        ("update_pwd", {"old": "wrong", "new": "abc"}),
        ("update_pwd", {"old": "k33p1t", "new": "too_long_1"}),
        ("update_pwd", {"old": "k33p1t", "new": "b!d"}),
    ],
)
async def test_code_132_for_bad_parameters(port, shake, machine, command, parameters):
    reply = await (await shake(port)).order(command, **parameters)
    assert (reply["STATUS"], reply["Code"]) == ("E", 132)
    assert machine.orders == []


async def test_the_percentage_is_not_the_limit(port, shake, ask, machine):
    session = await shake(port)
    await session.order("adjust_power_limit", power_limit="2000")
    await session.order("set_power_pct", percent="50")
    await session.order("set_power_pct", percent="75")
    assert machine.power_limit_w == 1500
    assert (await ask(port, "summary"))["SUMMARY"][0]["Power Limit"] == 2000
    assert (await ask(port, "status"))["Msg"]["power_pct"] == "75"
    await session.order("adjust_power_limit", power_limit="2600")
    assert (await ask(port, "summary"))["SUMMARY"][0]["Power Limit"] == 2600
    assert (await ask(port, "status"))["Msg"]["power_pct"] == "100"


async def test_update_pools_replaces_all_three(port, shake, machine):
    pools = {f"pool{n}": f"stratum+tcp://new:{n}" if n < 3 else "" for n in (1, 2, 3)}
    logins = {f"{key}{n}": f"{key}-{n}" for n in (1, 2, 3) for key in ("worker", "passwd")}
    assert (await (await shake(port)).order("update_pools", **pools, **logins))["Code"] == 131
    assert [(pool.url, pool.user, pool.password) for pool in machine.pools] == [
        ("stratum+tcp://new:1", "worker-1", "passwd-1"),
        ("stratum+tcp://new:2", "worker-2", "passwd-2"),
    ]


async def test_update_pwd_ends_the_session(port, shake, machine):
    session = await shake(port)
    assert (await session.order("update_pwd", old="k33p1t", new="n3w_pw"))["Code"] == 131
    assert machine.password == "n3w_pw"
    assert (await session.send({"cmd": "power_off"}))["Code"] == 23


async def test_reboot_answers_first_and_then_nothing_does(port, shake, exchange, machine):
    assert (await (await shake(port)).order("reboot"))["Code"] == 131
    assert machine.orders == ["reboot"]
    assert await exchange(port, b'{"cmd":"summary"}') == b""


async def test_reboot_in_the_middle_drops_the_acknowledgement(port, shake, faults, machine):
    session = await shake(port)
    machine.sleep = lambda: setattr(faults, "cut", True)
    with pytest.raises(AssertionError):  # no NUL: nothing came
        await session.send({"cmd": "power_off"})


async def test_faults_of_delivery_reach_this_socket(port, faults, exchange):
    faults.set(Fault.TRUNCATED)
    assert not (await exchange(port, b'{"cmd":"summary"}')).endswith(b"\0")


@pytest.mark.parametrize("state", [MachineState.OFF, MachineState.BOOTING])
async def test_nothing_answers_without_a_control_board(port, exchange, machine, state):
    machine.state = state
    assert await exchange(port, b'{"cmd":"summary"}') == b""


def test_the_serial_draws_the_build():
    builds = {Firmware.drawn(f"SN{n}") for n in range(40)}
    assert len(builds) > 1
    assert Firmware.drawn("SN1") == Firmware.drawn("SN1")
