"""The controller is alive only where its threads are."""

import asyncio
import math

import pytest

from controller.heartbeat import LONGEST_GROUP_S, Heartbeat, Signs
from shared.errors import StorageFull


class Told:
    """A watchdog that notes what it is told."""

    period_s = 0.03

    def __init__(self) -> None:
        self.words: list[str] = []

    def ready(self) -> None:
        self.words.append("ready")

    def alive(self, status: str) -> None:
        self.words.append(status)

    def stopping(self) -> None:
        self.words.append("stopping")


async def writes() -> None:
    pass


@pytest.mark.parametrize("busy_s", [LONGEST_GROUP_S + 1, math.inf])
async def test_an_ingest_that_stands_still_is_not_alive(busy_s):
    told = Told()
    await Heartbeat(told, Signs(lambda: busy_s, writes)).beat()
    assert told.words == []


async def test_a_journal_that_does_not_answer_is_not_alive():
    told = Told()
    beating = asyncio.ensure_future(Heartbeat(told, Signs(lambda: 0.0, asyncio.Event().wait)).beat())
    _, pending = await asyncio.wait((beating,), timeout=0.1)
    beating.cancel()
    assert pending
    assert told.words == []


async def test_a_full_disk_is_told_and_is_no_reason_to_be_killed():
    async def fails() -> None:
        raise StorageFull("no room")

    told = Told()
    await Heartbeat(told, Signs(lambda: 0.0, fails)).beat()
    assert told.words == ["serving, but nothing can be written: no room"]


async def test_ready_alive_and_stopping_in_this_order():
    told = Told()
    third = asyncio.Event()

    async def write() -> None:
        if len(told.words) >= 3:
            third.set()

    beating = asyncio.ensure_future(Heartbeat(told, Signs(lambda: 0.0, write)).run())
    await asyncio.wait_for(third.wait(), 10)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert (told.words[0], told.words[-1]) == ("ready", "stopping")
    assert set(told.words[1:-1]) == {"serving"}
