"""Executions by REST: batches of JSON to the API's own route in this process, by a person who signed in."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import httpx
import msgspec
from fastapi import FastAPI

from controller.api.execution import ExecutionRoutes
from controller.api.shape import Shapes
from controller.people.model import Role
from controller.people.service import People
from controller.people.visit import COOKIE
from controller.signing.execution.model import Execution
from controller.storage.sqlite.people import SqlitePeople
from controller.treasury.execution import ExecutionDesk
from controller.views.execution import ExecutionAnswer, ExecutionBatch, ExecutionWish
from shared.clock import SystemClock

BATCH: Final = 128
CALLERS: Final = 4
_PASSWORD: Final = "only for the benchmark"
_ORIGIN: Final = "http://bes"


async def rest_executions_per_s(folder: Path, desk: ExecutionDesk, load: Sequence[Execution]) -> int | None:
    """All of one contract, `CALLERS` batches on their way at a time; None where there is no load."""
    if not load:
        return None
    bodies = iter([_body(load[start : start + BATCH]) for start in range(0, len(load), BATCH)])
    async with SqlitePeople(folder / "people.db") as store:
        people = People(store, SystemClock())
        await people.add_user("benchmark", _PASSWORD, Role.TREASURER, one_time=False)
        entered = await people.sign_in("benchmark", _PASSWORD, "127.0.0.1")
        app = FastAPI()
        app.state.people = people
        app.include_router(ExecutionRoutes(desk, Shapes()).router())
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url=_ORIGIN,
            headers={"origin": _ORIGIN},
            cookies={COOKIE: entered.token},
        ) as client:
            started_s = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                callers = [group.create_task(_call(client, load[0].contract_id, bodies)) for _ in range(CALLERS)]
            took_s = time.perf_counter() - started_s
    assert sum(caller.result() for caller in callers) == len(load)
    return round(len(load) / took_s)


async def _call(client: httpx.AsyncClient, contract_id: str, bodies: Iterator[bytes]) -> int:
    """How many were executed."""
    done = 0
    for body in bodies:
        answer = await client.post(f"/contracts/{contract_id}/executions", content=body)
        done += sum(
            one.txid is not None for one in msgspec.json.decode(answer.content, type=tuple[ExecutionAnswer, ...])
        )
    return done


def _body(some: Sequence[Execution]) -> bytes:
    wishes = (
        ExecutionWish(one.path, one.expiry_height, one.base, one.partials, one.proposal, one.approvals) for one in some
    )
    return msgspec.json.encode(ExecutionBatch(tuple(wishes)))
