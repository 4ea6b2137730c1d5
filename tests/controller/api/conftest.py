"""The API over a fake site, called in-process, and as a real server for sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match

from controller.api import build
from controller.people.model import Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.storage.sqlite.people import SqlitePeople
from shared.clock import SystemClock
from tests.controller.console.fake_site import operations

PASSWORD = "correct horse battery"
ORIGIN = "http://bes.test"
USERS = {"anna": Role.OPERATOR, "otto": Role.OPERATOR, "vera": Role.VIEWER, "ada": Role.ADMIN}

Enter = Callable[..., Awaitable[httpx.AsyncClient]]


class Described:
    """A hook that compares every answer of a known route with the description: status, and kind of content."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, answer: httpx.Response) -> None:
        request = answer.request
        scope = {"type": "http", "method": request.method, "path": request.url.path, "headers": []}
        routes = [route for route in api_routes(self._app) if route.matches(scope)[0] is Match.FULL]
        if not routes or answer.status_code == 405:
            return
        described = self._app.openapi()["paths"][routes[0].path_format][request.method.lower()]["responses"]
        status = str(answer.status_code)
        found = described.get(status) or described.get(f"{status[0]}XX")
        assert found, (
            f"{request.method} {routes[0].path_format} answered {status}; the description has {list(described)}"
        )
        if answer.status_code != 204:
            assert answer.headers["content-type"] in found["content"]


def api_routes(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    async with SqlitePeople(tmp_path / "people.db") as store:
        made = People(store, SystemClock(), passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))
        for name, role in USERS.items():
            await made.add_user(name, PASSWORD, role, one_time=False)
        await made.add_user("nina", PASSWORD, Role.OPERATOR)
        await made.start()
        yield made


@pytest.fixture
def app(people: People) -> FastAPI:
    return build(operations(SystemClock(), 200), people, live_period_s=0.05)


@pytest.fixture
async def enter(app: FastAPI) -> AsyncIterator[Enter]:
    """`await enter("anna")` gives a client that is signed in; `await enter()` one that is not."""
    clients: list[httpx.AsyncClient] = []

    async def make(user: str = "", *, origin: str = ORIGIN) -> httpx.AsyncClient:
        headers = {"origin": origin} if origin else {}
        hooks = {"response": [Described(app)]}
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers, event_hooks=hooks)
        clients.append(client)
        if user:
            answer = await client.post("/api/v1/session", json={"name": user, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        return client

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
async def server(app: FastAPI) -> AsyncIterator[int]:
    """The port of a real server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    running = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="websockets-sansio")
    )
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    yield port
    running.should_exit = True
    await task
