"""HTTP Digest of the Antminer's web server, with a client that computes it by hand."""

import asyncio
import re
from hashlib import md5

import pytest

from hardware_sims.miners.antminer import AntminerServer
from hardware_sims.miners.antminer.digest import MAX_NONCES, NONCE_LIFE_S

PATH = "/cgi-bin/summary.cgi"
REALM = "antMiner Configuration"


def answer(nonce, *, count=1, password="k33p1t", method="GET", uri=PATH, user="root", **changes) -> dict[str, str]:
    """The Authorization header for a nonce; `changes` replace parameters after the response was computed."""

    def digest(text: str) -> str:
        return md5(text.encode()).hexdigest()

    nc, cnonce = f"{count:08x}", "0a4f113b"
    who, what = digest(f"{user}:{REALM}:{password}"), digest(f"{method}:{uri}")
    given = {"username": user, "realm": REALM, "nonce": nonce, "uri": uri, "cnonce": cnonce}
    given["response"] = digest(f"{who}:{nonce}:{nc}:{cnonce}:auth:{what}")
    given |= changes
    quoted = ", ".join(f'{key}="{value}"' for key, value in given.items())
    return {"Authorization": f"Digest {quoted}, qop=auth, nc={changes.get('nc', nc)}, algorithm=MD5"}


@pytest.fixture
async def connection(machine, faults, serve, web):
    ports = await serve(AntminerServer(machine, faults))
    async with web(ports[80]) as connection:
        yield connection


async def offered(connection) -> str:
    return re.search(r'nonce="(\w+)"', (await connection.send("GET", PATH)).headers["www-authenticate"])[1]


def stale(reply) -> bool:
    assert reply.status == 401
    return "stale=true" in reply.headers["www-authenticate"]


async def test_the_challenge(connection):
    reply = await connection.send("GET", PATH)
    assert not stale(reply)
    assert re.fullmatch(
        r'Digest realm="antMiner Configuration", nonce="\w{32}", qop="auth"', reply.headers["www-authenticate"]
    )


@pytest.mark.parametrize("path", ["/", "/cgi-bin/nonsense.cgi", "/index.html"])
async def test_every_path_wants_it(connection, path):
    assert not stale(await connection.send("GET", path))


async def test_one_nonce_serves_a_kept_connection(connection):
    nonce = await offered(connection)
    for count in (1, 2, 3, 10):
        assert (await connection.send("GET", PATH, headers=answer(nonce, count=count))).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"user": "admin"},
        {"method": "POST"},
        {"uri": "/cgi-bin/stats.cgi"},
        {"realm": "other"},
        {"response": "0" * 32},
        {"nc": "1"},
        {"nc": "zzzzzzzz"},
        {"cnonce": "changed"},
    ],
)
async def test_a_wrong_answer_is_not_stale(connection, changes):
    assert not stale(await connection.send("GET", PATH, headers=answer(await offered(connection), **changes)))


@pytest.mark.parametrize("header", ["Basic cm9vdDpyb290", "Digest", "Digest garbage", "Digest qop=auth, nc=00000001"])
async def test_no_digest(connection, header):
    assert not stale(await connection.send("GET", PATH, headers={"Authorization": header}))


async def test_a_replayed_count_is_stale(connection):
    nonce = await offered(connection)
    assert (await connection.send("GET", PATH, headers=answer(nonce, count=2))).status == 200
    assert stale(await connection.send("GET", PATH, headers=answer(nonce, count=2)))
    assert stale(await connection.send("GET", PATH, headers=answer(nonce, count=1)))
    assert (await connection.send("GET", PATH, headers=answer(nonce, count=3))).status == 200


async def test_an_unknown_nonce_with_the_right_password_is_stale(connection):
    assert stale(await connection.send("GET", PATH, headers=answer("f" * 32)))


async def test_an_old_nonce_is_stale(connection, machine):
    nonce = await offered(connection)
    machine.pass_time(NONCE_LIFE_S)
    reply = await connection.send("GET", PATH, headers=answer(nonce))
    assert stale(reply)
    fresh = re.search(r'nonce="(\w+)"', reply.headers["www-authenticate"])[1]
    assert (await connection.send("GET", PATH, headers=answer(fresh))).status == 200


async def test_a_boot_forgets_nonces(connection, machine):
    nonce = await offered(connection)
    machine.wall_time_s, machine.uptime_s = machine.wall_time_s + 90, 60.0
    assert stale(await connection.send("GET", PATH, headers=answer(nonce)))


async def test_too_many_challenges_push_out_the_oldest(connection):
    nonce = await offered(connection)
    for _ in range(MAX_NONCES):
        await connection.send("GET", PATH)
    assert stale(await connection.send("GET", PATH, headers=answer(nonce)))


async def test_a_down_machine_drops_a_kept_connection(connection, machine):
    nonce = await offered(connection)
    machine.reboot()
    with pytest.raises(asyncio.IncompleteReadError):
        await connection.send("GET", PATH, headers=answer(nonce))
