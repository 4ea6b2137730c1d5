"""API and console over a fake site, to test in a browser and to look at: python -m tests.controller.console.serve."""

import argparse
import asyncio
import tempfile
from pathlib import Path

import uvicorn

from controller import api, console
from controller.people.model import Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.storage.sqlite.people import SqlitePeople
from shared.clock import SystemClock
from tests.controller.console.fake_forward import FakeForward
from tests.controller.console.fake_site import operations
from tests.controller.console.fake_treasury import FakeTreasury

PASSWORD = "correct horse battery"
USERS = {"anna": Role.OPERATOR, "otto": Role.OPERATOR, "vera": Role.VIEWER, "ada": Role.ADMIN, "tess": Role.TREASURER}


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8321)
    parser.add_argument("--miners", type=int, default=200)
    parser.add_argument("--hostile", default="")
    parser.add_argument(
        "--switches",
        type=Path,
        help="folder: `silent` in it silences the agents, `unknown` the site, `no-node` the treasury's node",
    )
    chosen = parser.parse_args()
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        async with SqlitePeople(Path(folder) / "people.db") as store:
            people = People(store, clock, passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))
            for name, role in USERS.items():
                await people.add_user(name, PASSWORD, role, one_time=False)
            await people.start()
            site = operations(clock, chosen.miners, hostile_name=chosen.hostile, switches=chosen.switches)
            desk = FakeTreasury(clock, chosen.switches)
            forwards = FakeForward()
            app = api.build(site, people, treasury=desk, forwards=forwards)
            console.mount(app, site, people, treasury=desk, forwards=forwards)
            config = uvicorn.Config(app, host="127.0.0.1", port=chosen.port, log_level="warning")
            await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main())
