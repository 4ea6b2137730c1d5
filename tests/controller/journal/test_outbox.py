import asyncio
from contextlib import suppress

import pytest

from controller.journal import Append, Commit, Dispatcher, Journal, NewEvent, OutboxEntry, SideEffect
from controller.journal import outbox as outbox_module
from controller.journal.outbox import TRIES
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from shared.clock import SystemClock
from shared.errors import Conflict, DecodeFailed, GatewayUnavailable, StorageFull, StorageUnavailable


def effect(key: str, lane: str = "a", kind: str = "mail") -> SideEffect:
    return SideEffect(key, kind, lane, key.encode())


class World:
    """Remembers deliveries; lanes in `down` cannot be reached."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.down: set[str] = set()
        self.changed = asyncio.Event()
        self.refused = asyncio.Event()

    async def deliver(self, entry: OutboxEntry) -> list[Append]:
        if entry.lane in self.down:
            self.refused.set()
            raise GatewayUnavailable(f"lane {entry.lane} is down")
        self.delivered.append(entry.key)
        self.changed.set()
        return [Append("sent", (NewEvent("Sent", b"{}", "outbox"),))]


@pytest.fixture
def outbox(store: SqliteJournal) -> SqliteOutbox:
    return SqliteOutbox(store)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def dispatcher(journal: Journal, outbox: SqliteOutbox, world: World, clock) -> Dispatcher:
    return Dispatcher(journal, outbox, "mail", world.deliver, clock)


async def test_effects_are_delivered_settled_and_told_once(journal, outbox, dispatcher, world) -> None:
    await journal.commit(Commit(effects=(effect("1"), effect("2"), effect("other", kind="fax"))))
    await journal.commit(Commit(effects=(effect("1"),)))
    assert await dispatcher.deliver_due() == 2
    assert await dispatcher.deliver_due() == 0
    assert world.delivered == ["1", "2"]
    assert len(await journal.stream("sent")) == 2
    assert await outbox.next_due_ms("mail") is None
    await journal.commit(Commit(effects=(effect("1"),)))
    assert await dispatcher.deliver_due() == 0


async def test_a_lane_that_fails_waits_and_keeps_its_order_while_others_go_on(
    journal, outbox, dispatcher, world, clock
) -> None:
    await journal.commit(Commit(effects=(effect("a1", "a"), effect("a2", "a"), effect("b1", "b"))))
    world.down.add("a")
    await dispatcher.deliver_due()
    assert world.delivered == ["b1"]
    await journal.commit(Commit(effects=(effect("a3", "a"),)))
    world.down.clear()
    assert await dispatcher.deliver_due() == 0
    clock.ms = clock.ms + 201
    await dispatcher.deliver_due()
    assert world.delivered == ["b1", "a1", "a2", "a3"]


async def test_back_off_grows_to_its_ceiling(journal, outbox, dispatcher, world, clock) -> None:
    await journal.commit(Commit(effects=(effect("a1", "a"),)))
    world.down.add("a")
    waits = []
    for _ in range(12):
        await dispatcher.deliver_due()
        due_ms = await outbox.next_due_ms("mail")
        waits.append(due_ms - clock.ms)
        clock.ms = due_ms
    assert 100 <= waits[0] <= 200
    assert all(15_000 <= wait <= 30_000 for wait in waits[-3:])


async def test_what_is_refused_for_good_is_abandoned_with_its_fact_and_frees_its_lane(journal, outbox, clock) -> None:
    done = []

    async def deliver(entry: OutboxEntry) -> list[Append]:
        if entry.key == "a1":
            raise DecodeFailed("this payload is of an older release")
        done.append(entry.key)
        return []

    def abandon(entry: OutboxEntry, detail: str) -> tuple[Append, ...]:
        return (Append("command/1", (NewEvent("Given up", detail.encode(), "outbox"),)),)

    await journal.commit(Commit(effects=(effect("a1", "a"), effect("a2", "a"))))
    dispatcher = Dispatcher(journal, outbox, "mail", deliver, clock, abandon)
    await dispatcher.deliver_due()
    assert done == ["a2"]
    assert await outbox.next_due_ms("mail") is None
    (fact,) = await journal.stream("outbox/mail")
    assert fact.name == "EffectAbandoned"
    assert b'"key":"a1","code":"wire.decode-failed"' in fact.data
    (told,) = await journal.stream("command/1")
    assert told.data == b"this payload is of an older release [wire.decode-failed]"


async def test_what_breaks_its_delivery_every_time_is_abandoned_after_some_tries(journal, outbox, clock) -> None:
    done = []

    async def deliver(entry: OutboxEntry) -> list[Append]:
        if entry.key == "a1":
            raise KeyError("bug")
        done.append(entry.key)
        return []

    await journal.commit(Commit(effects=(effect("a1", "a"), effect("a2", "a"))))
    dispatcher = Dispatcher(journal, outbox, "mail", deliver, clock)
    for _ in range(TRIES):
        assert done == []
        await dispatcher.deliver_due()
        clock.ms += 30_001
    assert done == ["a2"]
    (fact,) = await journal.stream("outbox/mail")
    assert b"KeyError" in fact.data


async def test_a_journal_that_fails_for_a_while_does_not_end_it(store, outbox, world, monkeypatch) -> None:
    monkeypatch.setattr(outbox_module, "PAUSE_S", 0.01)
    journal = Journal(store, SystemClock())
    failures = [StorageFull("no room"), StorageUnavailable("locked"), Conflict("somebody wrote first")]
    commit = store.commit

    async def failing(wanted, at_ms):
        if wanted.settles and failures:
            raise failures.pop()
        return await commit(wanted, at_ms)

    monkeypatch.setattr(store, "commit", failing)
    running = asyncio.ensure_future(Dispatcher(journal, outbox, "mail", world.deliver, SystemClock()).run())
    await journal.commit(Commit(effects=(effect("1"),)))
    async with asyncio.timeout(10):
        while failures or await outbox.next_due_ms("mail") is not None:
            await asyncio.sleep(0.01)
    assert world.delivered == ["1"] * 4
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_crash_before_the_settlement_repeats_the_effect(journal, outbox, world, clock) -> None:
    await journal.commit(Commit(effects=(effect("1"),)))
    [entry] = await outbox.take("mail", clock.ms, 10)
    await world.deliver(entry)
    again = Dispatcher(journal, outbox, "mail", world.deliver, clock)
    await again.deliver_due()
    assert world.delivered == ["1", "1"]


async def test_running_it_delivers_what_comes_and_retries_when_due(store, outbox, world) -> None:
    journal = Journal(store, SystemClock())
    running = asyncio.ensure_future(Dispatcher(journal, outbox, "mail", world.deliver, SystemClock()).run())
    async with asyncio.timeout(5):
        await journal.commit(Commit(effects=(effect("1"),)))
        await world.changed.wait()
        world.changed.clear()
        world.down.add("a")
        await journal.commit(Commit(effects=(effect("2"),)))
        await world.refused.wait()
        world.down.clear()
        await world.changed.wait()
    assert world.delivered == ["1", "2"]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
