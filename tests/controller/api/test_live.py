"""The socket that pushes summaries, over a real connection."""

import json

import httpx
import pytest
import websockets

from controller.people.service import People
from tests.controller.api.conftest import PASSWORD


async def cookie_of(port: int) -> str:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await client.post("/api/v1/session", json={"name": "vera", "password": PASSWORD})
        return f"bes_session={client.cookies['bes_session']}"


async def drain(socket: websockets.ClientConnection) -> None:
    while True:
        await socket.recv()


def connect(port: int, *, cookie: str, origin: str | None = None, site: str = "west-1") -> websockets.connect:
    return websockets.connect(
        f"ws://127.0.0.1:{port}/api/v1/live?site={site}",
        additional_headers={"cookie": cookie},
        origin=origin or f"http://127.0.0.1:{port}",
    )


async def test_summaries_come_with_their_snapshot(server: int) -> None:
    async with connect(server, cookie=await cookie_of(server)) as socket:
        first, second = json.loads(await socket.recv()), json.loads(await socket.recv())
    assert first["site"] == "west-1"
    assert first["snapshot"].startswith("west-1-")
    assert second["at_ms"] >= first["at_ms"]
    assert first["power_w"]["source"] == "meter m-site"


async def test_strangers_and_foreign_pages_are_turned_away(server: int) -> None:
    for cookie, origin in (("bes_session=forged", None), (await cookie_of(server), "https://evil.example")):
        with pytest.raises(websockets.InvalidStatus):
            async with connect(server, cookie=cookie, origin=origin):
                pass


async def test_the_socket_closes_when_the_session_ends(server: int, people: People) -> None:
    cookie = await cookie_of(server)
    async with connect(server, cookie=cookie) as socket:
        await socket.recv()
        session = people.session(cookie.partition("=")[2])
        assert session is not None
        await people.sign_out(session.id)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await drain(socket)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "access.sign-in-required")


async def test_an_unknown_site_is_named(server: int) -> None:
    async with connect(server, cookie=await cookie_of(server), site="nowhere") as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4404


async def test_programs_listen_with_a_bearer_token(server: int, people: People) -> None:
    session = await people.sign_in("ada", PASSWORD, "here")
    admin = people.actor(session.session.id)
    secret, _ = await people.issue_token("scada", next(iter(admin.permissions - {"administer"})), admin)
    url = f"ws://127.0.0.1:{server}/api/v1/live?site=west-1"
    async with websockets.connect(url, additional_headers={"authorization": f"Bearer {secret}"}) as socket:
        assert json.loads(await socket.recv())["miners"] == 200
