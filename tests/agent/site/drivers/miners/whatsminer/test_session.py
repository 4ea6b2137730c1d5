import asyncio
import json
import shutil
import subprocess

import pytest

from agent.site.drivers.miners.whatsminer.md5crypt import md5_crypt
from agent.site.drivers.miners.whatsminer.session import derive_token, seal, unseal
from shared.actions import Locate, Sleep
from shared.errors import (
    AuthFailed,
    ProtocolViolation,
    Rejected,
    Unreachable,
    Unsupported,
    WritesDisabled,
)

SALT = {"time": "5626", "salt": "Zk3vQp1x", "newsalt": "m8TyRw2c"}


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
