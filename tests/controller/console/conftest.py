"""The console's pages without a browser, and the whole application for its doors."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from nicegui.testing.user import User
from nicegui.testing.user_simulation import user_simulation

from controller.console.feed import Feed
from controller.console.gate import Doors
from controller.console.pages.shell import register
from controller.console.topics import all_topics
from controller.people.model import Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.people.visit import COOKIE
from controller.storage.sqlite.people import SqlitePeople
from controller.views.ports import Operations
from shared.clock import SystemClock
from tests.controller.console.fake_forward import FakeForward
from tests.controller.console.fake_site import operations
from tests.controller.console.fake_treasury import FakeTreasury

PASSWORD = "correct horse battery"


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    async with SqlitePeople(tmp_path / "people.db") as store:
        made = People(store, SystemClock(), passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))
        for name, role in {
            "anna": Role.OPERATOR,
            "otto": Role.OPERATOR,
            "vera": Role.VIEWER,
            "tess": Role.TREASURER,
        }.items():
            await made.add_user(name, PASSWORD, role, one_time=False)
        await made.add_user("nina", PASSWORD, Role.VIEWER)
        await made.start()
        yield made


@pytest.fixture
def site() -> Operations:
    return operations(SystemClock(), 200)


@dataclass
class Visitor:
    """`open` shows a page of the site; `user` finds its elements."""

    user: User
    session_id: str

    async def open(self, page: str = "") -> None:
        await self.user.open(f"/site/west-1{page}")


Enter = Callable[[str], Awaitable[Visitor]]


@pytest.fixture
def treasury(site: Operations) -> FakeTreasury:
    return FakeTreasury(site.clock)


@pytest.fixture
def forwards() -> FakeForward:
    return FakeForward()


@pytest.fixture
async def visit(
    people: People, site: Operations, treasury: FakeTreasury, forwards: FakeForward
) -> AsyncIterator[Enter]:
    async with user_simulation(None) as user:
        feed = Feed(site.clock, all_topics(site, treasury, forwards))
        register(site, people, feed, Doors(people), treasury, forwards)

        async def enter(name: str) -> Visitor:
            signed_in = await people.sign_in(name, PASSWORD, "here")
            user.http_client.cookies.set(COOKIE, signed_in.token)
            return Visitor(user, signed_in.session.id)

        yield enter
