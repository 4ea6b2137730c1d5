"""What the controller finds wrong with itself stands among the alarms of its sites."""

import asyncio

import pytest

from controller import own_alarms
from controller.fleet import AlarmDesk
from controller.own_alarms import NOT_STORING, OwnAlarms
from controller.storage.sqlite.relations import SqliteRelations
from shared.clock import SystemClock
from shared.errors import StorageFull


class NoWitness:
    async def note(self, *_args) -> None:
        raise AssertionError


@pytest.fixture
async def store(tmp_path):
    async with SqliteRelations(tmp_path / "controller.db") as opened:
        yield opened


@pytest.fixture
async def desk(store):
    return AlarmDesk(store, NoWitness(), SystemClock())


@pytest.fixture
async def alarms(desk):
    made = OwnAlarms(desk, ("north", "south"), SystemClock())
    running = asyncio.ensure_future(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_raised_at_every_site_and_cleared_when_it_is_over(alarms, desk, store):
    alarms.judge(NOT_STORING, "the disk is full")
    await until(lambda: desk.standing("south"))
    (alarm,) = desk.standing("north")
    assert (alarm.code, alarm.priority, alarm.text, alarm.node) == (NOT_STORING, 1, "the disk is full", "controller")
    assert len((await store.load()).alarms) == 2
    alarms.judge(NOT_STORING, "")
    await until(lambda: desk.standing("south")[0].cleared_at_ms is not None)


async def test_where_nothing_stood_nothing_is_written(alarms, desk, store):
    alarms.judge(NOT_STORING, "")
    alarms.judge(own_alarms.BROKER_UNFIT, "narrow")
    await until(lambda: desk.standing("south"))
    assert {alarm.code for alarm in (await store.load()).alarms} == {own_alarms.BROKER_UNFIT}


async def test_what_is_over_at_once_stands_until_somebody_has_seen_it(alarms, desk):
    alarms.happened("north", own_alarms.REFUSED, "record 7 of n1 [bes.error]")
    await until(lambda: desk.standing("north"))
    (alarm,) = desk.standing("north")
    assert (alarm.text, alarm.phase) == ("record 7 of n1 [bes.error]", "cleared")
    assert desk.standing("south") == []


async def test_an_alarm_that_cannot_be_written_is_written_later(alarms, desk, store, monkeypatch):
    monkeypatch.setattr(own_alarms, "RETRY_S", 0.01)
    failures = [StorageFull("no room")] * 3
    write = store.apply

    async def apply(change, source=None):
        if failures:
            raise failures.pop()
        return await write(change, source)

    monkeypatch.setattr(store, "apply", apply)
    alarms.judge(NOT_STORING, "the disk is full")
    await until(lambda: desk.standing("south"))
