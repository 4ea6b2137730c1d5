"""The doors of the console: what strangers, foreign pages and ended sessions get."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from controller.console.gate import CSP, Gate
from controller.console.login.page import LoginPages
from controller.console.theme.asset import Assets
from controller.people.service import People
from controller.people.visit import COOKIE
from tests.controller.console.conftest import PASSWORD

ORIGIN = "http://bes.test"


@pytest.fixture
def app(people: People) -> FastAPI:
    """A stand-in for NiceGUI behind the real gate and the real sign-in pages."""
    made = FastAPI()
    assets = Assets()
    made.include_router(assets.router())
    made.include_router(LoginPages(people, assets, secure_cookies=False).router())

    @made.api_route("/console/{path:path}", methods=["GET", "POST"])
    async def inside(path: str) -> PlainTextResponse:
        return PlainTextResponse(path)

    @made.websocket("/console/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                await websocket.send_text(await websocket.receive_text())

    made.add_middleware(Gate, people=people)
    return made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as opened:
        yield opened


async def enter(client: httpx.AsyncClient, name: str = "anna", **more: str) -> httpx.Response:
    return await client.post("/login", data={"name": name, "password": PASSWORD, **more})


async def test_strangers_are_led_to_the_sign_in_and_back(client: httpx.AsyncClient) -> None:
    away = await client.get("/console/site/west-1/miners?q=state:hot")
    assert away.status_code == 303
    assert away.headers["location"].startswith("/login?next=%2Fconsole%2Fsite")
    shown = await client.get(away.headers["location"])
    assert "q=state:hot" in shown.text
    back = await enter(client, next="/console/site/west-1/miners?q=state:hot")
    assert back.headers["location"] == "/console/site/west-1/miners?q=state:hot"
    inside = await client.get(back.headers["location"])
    assert inside.status_code == 200
    assert inside.headers["content-security-policy"] == CSP


@pytest.mark.parametrize("path", ["/console/alive", "/console/_nicegui_ws/socket.io", "/console/_nicegui/x.js"])
async def test_what_a_page_loads_is_told_401(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/console/", "/\\evil.example", "/logout", ""]
)
async def test_nobody_is_sent_elsewhere_after_signing_in(client: httpx.AsyncClient, wanted: str) -> None:
    assert (await enter(client, next=wanted)).headers["location"] == "/console/"


async def test_the_sign_in_page_allows_no_script_and_escapes(client: httpx.AsyncClient) -> None:
    shown = await client.get("/login", params={"next": '/console/"><script>alert(1)</script>'})
    assert "<script" not in shown.text
    assert "script-src" not in shown.headers["content-security-policy"]
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    sheet = shown.text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert (await client.get(sheet)).headers["content-type"].startswith("text/css")
    assert (await client.get("/assets/00000000/login.css")).status_code == 404


async def test_a_foreign_page_can_neither_sign_in_nor_post(client: httpx.AsyncClient) -> None:
    foreign = {"origin": "https://evil.example"}
    refused = await client.post("/login", data={"name": "anna", "password": PASSWORD}, headers=foreign)
    assert refused.status_code == 400
    assert COOKIE not in refused.cookies
    await enter(client)
    assert (await client.post("/console/x", headers=foreign)).status_code == 403


async def test_a_wrong_password_says_so_and_a_long_form_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/login", data={"name": "anna", "password": "guess"})
    assert (answer.status_code, "name or password is wrong" in answer.text) == (400, True)
    answer = await client.post("/login", data={"name": "x" * 5000})
    assert "at most 4096 bytes" in answer.text


async def test_a_one_time_password_leads_to_its_replacement(client: httpx.AsyncClient) -> None:
    assert (await enter(client, "nina")).headers["location"] == "/login/password"
    assert (await client.get("/console/x")).headers["location"].startswith("/login/password")
    new = "quite another sentence"
    twice = {"current": PASSWORD, "new": new, "again": "not the same"}
    assert "twice alike" in (await client.post("/login/password", data=twice)).text
    changed = await client.post("/login/password", data=twice | {"again": new})
    assert changed.headers["location"] == "/console/"
    assert (await client.get("/console/x")).status_code == 200


async def test_signing_out_ends_the_session(client: httpx.AsyncClient) -> None:
    await enter(client)
    cookie = client.cookies[COOKIE]
    assert (await client.post("/logout", headers={"origin": "https://evil.example"})).status_code == 403
    assert (await client.post("/logout")).headers["location"] == "/login"
    away = await client.get("/console/x", headers={"cookie": f"{COOKIE}={cookie}"})
    assert away.status_code == 303


async def converse(app: FastAPI, headers: dict[str, str], said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One socket, driven by hand: what the application sent."""
    heard: list[dict[str, Any]] = []
    waiting = iter([{"type": "websocket.connect"}, *said])

    async def receive() -> dict[str, Any]:
        item = next(waiting, {"type": "websocket.disconnect", "code": 1000})
        return item() if callable(item) else item

    async def send(message: dict[str, Any]) -> None:
        heard.append(message)

    scope = {
        "type": "websocket",
        "path": "/console/socket",
        "raw_path": b"/console/socket",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "subprotocols": [],
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    return heard


async def test_sockets_are_checked_like_requests(app: FastAPI, people: People) -> None:
    token = (await people.sign_in("anna", PASSWORD, "here")).token
    ours = {"host": "bes.test", "origin": ORIGIN, "cookie": f"{COOKIE}={token}"}
    text = {"type": "websocket.receive", "text": "hello"}
    assert [item["type"] for item in await converse(app, ours, [text])][:2] == ["websocket.accept", "websocket.send"]
    for change in ({"cookie": ""}, {"origin": "https://evil.example"}, {"origin": ""}):
        heard = await converse(app, ours | change, [text])
        assert [(item["type"], item.get("code")) for item in heard] == [("websocket.close", 4401)]


async def test_an_open_socket_dies_with_its_session(app: FastAPI, people: People) -> None:
    token, session = await people.sign_in("anna", PASSWORD, "here")
    ours = {"host": "bes.test", "origin": ORIGIN, "cookie": f"{COOKIE}={token}"}
    text = {"type": "websocket.receive", "text": "order"}

    def ended() -> dict[str, Any]:
        people._sessions.pop(session.id)
        return text

    heard = await converse(app, ours, [text, ended, text])  # type: ignore[list-item]
    assert [item["type"] for item in heard].count("websocket.send") == 1
