"""Ingest over the real store: once each, acknowledged after the commit, receipted, told to those who live on it."""

import asyncio
import threading

import pytest

from benchmarks.site_load import site_batch
from controller.ingest import Audience, InboxRoute, Ingest, IngestSettings, consumer, storing
from controller.storage.sqlite.telemetry_reader import TelemetryReader
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared.errors import Malformed, StorageUnavailable
from shared.mqtt import Message
from shared.wire.codec import encode, pack
from shared.wire.event import Event, EventBatch
from shared.wire.record import Gap, GapBatch, Hello, Presence, Record, RecordKind, checksum
from shared.wire.topics import up

SITE, NODE = "north", "n1"


class FakeChannel:
    """Notes acknowledgements and receipts in the order they were made."""

    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []
        self.changed = threading.Event()

    def ack(self, messages) -> None:
        self.log += [("ack", message.mid) for message in messages]
        self.changed.set()

    def publish_receipt(self, receipt) -> bool:
        self.log.append(("receipt", (receipt.epoch, receipt.mark)))
        self.changed.set()
        return True

    def reset(self) -> None:
        self.log.append(("reset", None))
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(10):
            while not condition(self.log):
                self.changed.clear()
                await asyncio.to_thread(self.changed.wait, 1)


class Listener:
    """Sink, watcher and consumer in one."""

    def __init__(self) -> None:
        self.applied: list[tuple[str, str, int]] = []
        self.contacts: set[tuple[str, str]] = set()
        self.hellos: list[Hello] = []
        self.events: list[tuple[str, int, str]] = []
        self.fail_with: list[Exception] = []
        self.changed = asyncio.Event()

    def apply(self, site, node, batch) -> None:
        self.applied.append((site, node, batch.cycle))
        self.changed.set()

    def contact(self, site, node) -> None:
        self.contacts.add((site, node))

    async def handle_hello(self, site, node, hello) -> None:
        self.hellos.append(hello)
        self.changed.set()

    async def on_event(self, site, node, batch, record) -> None:
        if self.fail_with:
            raise self.fail_with.pop()
        self.events += [(record.epoch, record.seq, event.code) for event in batch.events]
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def store(tmp_path):
    async with SqliteTelemetry(tmp_path / "telemetry.db") as opened:
        yield opened


@pytest.fixture
async def channel():
    return FakeChannel()


@pytest.fixture
async def listener():
    return Listener()


@pytest.fixture
async def ingest(store, channel, listener):
    routes = {RecordKind.EVENT: InboxRoute(EventBatch, listener.on_event)}
    made = Ingest(store, channel, Audience((listener,), listener, routes))
    await made.start()
    yield made
    await made.stop()


mids = iter(range(1, 1_000_000))


def message(leaf: str, payload: bytes, *, node: str = NODE, site: str = SITE) -> Message:
    return Message(up(site, node, leaf), payload, 1, next(mids), 1)


def record(seq: int, body=None, *, kind=RecordKind.TELEMETRY, epoch: str = "e1", **where) -> Message:
    packed = body if isinstance(body, bytes) else pack(body or site_batch(0, 5, 1_000 * seq, cycle=seq))
    return message(kind.leaf, encode(Record(1, epoch, seq, kind, checksum(seq, packed), 5, packed)), **where)


def hello(epoch: str = "e1", lowest: int = 1, highest: int = 0, *, salvaged: bool = False) -> Message:
    return message("hello", encode(Hello(1, epoch, lowest, highest, 0, "b", "site", "0.1", 0, salvaged=salvaged)))


def event(seq: int, code: str = "test") -> Message:
    return record(seq, EventBatch(events=(Event(0, code, "d", 0, "t"),)), kind=RecordKind.EVENT)


def receipts(log) -> list[tuple[str, int]]:
    return [value for what, value in log if what == "receipt"]


async def test_stores_acknowledges_receipts_and_tells_in_this_order(ingest, channel, listener, store):
    first, second = record(1), record(2)
    ingest.offer(first)
    ingest.offer(second)
    await channel.until(lambda log: ("receipt", ("e1", 2)) in log)
    acks = [value for what, value in channel.log if what == "ack"]
    assert acks == [first.mid, second.mid]
    assert channel.log.index(("ack", second.mid)) < channel.log.index(("receipt", ("e1", 2)))
    await listener.until(lambda: len(listener.applied) == 2)
    assert listener.applied == [(SITE, NODE, 1), (SITE, NODE, 2)]
    assert (SITE, NODE) in listener.contacts
    rows = await store.people.rows("SELECT count(*), count(DISTINCT device_no) FROM miner_sample")
    assert [tuple(row) for row in rows] == [(10, 5)]


async def test_what_comes_twice_is_stored_and_told_once_and_receipted_again(ingest, channel, listener, store):
    ingest.offer(record(1))
    await channel.until(lambda log: len(receipts(log)) == 1)
    ingest.offer(record(1))
    await channel.until(lambda log: len(receipts(log)) == 2)
    assert receipts(channel.log)[1] == ("e1", 1)
    assert len(await store.people.rows("SELECT 1 FROM miner_sample")) == 5
    assert ingest.counters.duplicates == 1
    assert len(listener.applied) == 1


async def test_the_mark_waits_at_a_hole_until_a_gap_record_names_it(ingest, channel, store):
    ingest.offer(record(1))
    ingest.offer(record(4))
    await channel.until(lambda log: ("e1", 1) in receipts(log))
    gap = GapBatch(gaps=(Gap("e1", 2, 3, 400, "disk_full_downsampled", 10, 20),))
    ingest.offer(record(5, gap, kind=RecordKind.GAP))
    await channel.until(lambda log: ("e1", 5) in receipts(log))
    (entry,) = await TelemetryReader(store).gaps(SITE)
    assert (entry.from_seq, entry.to_seq, entry.samples, entry.reason) == (2, 3, 400, "disk_full_downsampled")


async def test_hello_is_answered_with_the_mark_and_the_watcher_learns_of_it(ingest, channel, listener):
    ingest.offer(record(1))
    ingest.offer(hello(highest=9))
    await channel.until(lambda log: ("e1", 1) in receipts(log))
    await listener.until(lambda: bool(listener.hellos))
    assert listener.hellos[0].highest_seq == 9


async def test_what_a_node_no_longer_holds_and_we_do_not_have_is_written_down(ingest, channel, store):
    """A controller restored from a backup: the node released records that this store never saw."""
    ingest.offer(hello(lowest=11, highest=12))
    await channel.until(lambda log: ("e1", 10) in receipts(log))
    (entry,) = await TelemetryReader(store).gaps(SITE)
    assert (entry.from_seq, entry.to_seq, entry.reason, entry.samples) == (1, 10, "unheld", None)


async def test_a_node_that_turns_back_to_an_epoch_it_had_left_raises_an_alarm(ingest, channel, listener):
    for epoch in ("e1", "e2", "e1"):
        ingest.offer(hello(epoch))
        await channel.until(lambda log, epoch=epoch: receipts(log)[-1:] == [(epoch, 0)])
    await listener.until(lambda: bool(listener.events))
    assert [code for _, _, code in listener.events] == ["spool.alternating-epochs"]


async def test_a_salvaged_epoch_is_no_alternation(ingest, channel, listener):
    ingest.offer(hello("old"))
    ingest.offer(hello("new"))
    ingest.offer(hello("old", salvaged=True))
    ingest.offer(hello("new"))
    ingest.offer(event(1))
    await listener.until(lambda: bool(listener.events))
    assert [code for _, _, code in listener.events] == ["test"]
    assert [greeting.epoch for greeting in listener.hellos] == ["old", "new", "new"]


async def test_garbage_is_quarantined_counted_and_acknowledged(ingest, channel, store):
    ingest.offer(message("telemetry", b"\xc1garbage"))
    ingest.offer(Message("somebody/elses/topic", b"x", 1, next(mids), 1))
    await channel.until(lambda log: len(log) == 2)
    rows = await TelemetryReader(store).quarantine()
    assert {row.code for row in rows} == {"wire.decode-failed"}
    assert ingest.counters.rejected == {"wire.decode-failed": 2}
    assert receipts(channel.log) == []


async def test_a_whole_record_of_unknown_shape_is_kept_and_does_not_stall_its_node(ingest, channel, store):
    ingest.offer(record(1, EventBatch(version=1), kind=RecordKind.TELEMETRY))
    ingest.offer(record(2))
    await channel.until(lambda log: ("e1", 2) in receipts(log))
    (row,) = await TelemetryReader(store).quarantine()
    assert (row.epoch, row.seq) == ("e1", 1)
    (entry,) = await TelemetryReader(store).gaps(SITE)
    assert entry.reason == "undecodable"


async def test_numbers_beyond_all_bounds_cost_only_their_record(ingest, channel, store):
    poison = site_batch(0, 5, 1_000)
    poison.miners.accepted_shares[3] = 1 << 63
    for item in (record(1), record(2, poison), record(3)):
        ingest.offer(item)
    await channel.until(lambda log: ("e1", 3) in receipts(log))
    assert len(await store.people.rows("SELECT 1 FROM miner_sample")) == 10
    assert ingest.counters.rejected == {"wire.decode-failed": 1}


async def test_events_reach_their_consumer_once_and_leave_the_inbox(ingest, channel, listener, store):
    ingest.offer(event(1, "a"))
    ingest.offer(event(2, "b"))
    ingest.offer(event(1, "a"))
    await listener.until(lambda: len(listener.events) == 2)
    assert listener.events == [("e1", 1, "a"), ("e1", 2, "b")]
    async with asyncio.timeout(10):
        while await store.inbox(10):
            await asyncio.sleep(0)


async def test_a_consumer_that_fails_for_now_is_asked_again_in_order(ingest, listener, monkeypatch):
    monkeypatch.setattr(consumer, "FIRST_PAUSE_S", 0.01)
    listener.fail_with.append(StorageUnavailable("not now"))
    ingest.offer(event(1, "a"))
    ingest.offer(event(2, "b"))
    await listener.until(lambda: len(listener.events) == 2)
    assert [code for _, _, code in listener.events] == ["a", "b"]


async def test_a_row_that_breaks_its_handler_ends_in_quarantine_and_blocks_nobody(
    ingest, channel, listener, store, monkeypatch
):
    monkeypatch.setattr(consumer, "FIRST_PAUSE_S", 0.01)
    refused = []
    ingest.consumer.on_refused = lambda item, why: refused.append((item.node, item.seq, why.code))
    handle = ingest.consumer._routes[RecordKind.EVENT].handle

    async def break_on_it(site, node, batch, record):
        if batch.events[0].code == "poison":
            raise KeyError("nobody thought of this")
        await handle(site, node, batch, record)

    ingest.consumer._routes[RecordKind.EVENT] = InboxRoute(EventBatch, break_on_it)
    for item in (event(1, "a"), event(2, "poison"), event(3, "b")):
        ingest.offer(item)
    ingest.offer(record(1, EventBatch(events=(Event(0, "other", "d", 0, "t"),)), kind=RecordKind.EVENT, node="n2"))
    await listener.until(lambda: len(listener.events) == 3)
    codes = [code for _, _, code in listener.events]
    assert codes.index("other") < codes.index("b"), "another node did not wait"
    assert [code for code in codes if code != "other"] == ["a", "b"], "its own order was kept"
    assert refused == [(NODE, 2, "bes.error")]
    (row,) = await TelemetryReader(store).quarantine()
    assert (row.epoch, row.seq, row.detail) == ("e1", 2, "KeyError: 'nobody thought of this'")
    assert ingest.consumer.refused == 1


async def test_what_a_handler_refuses_is_kept(ingest, listener, store):
    listener.fail_with.append(Malformed("not like this"))
    ingest.offer(event(1, "a"))
    ingest.offer(event(2, "b"))
    await listener.until(lambda: len(listener.events) == 1)
    (row,) = await TelemetryReader(store).quarantine()
    assert (row.code, row.seq) == ("request.malformed", 1)
    assert row.size > 0


async def test_a_kind_without_a_route_waits(ingest, listener, store):
    ingest.offer(record(1, b"", kind=RecordKind.RESULT))
    ingest.offer(event(2, "a"))
    await listener.until(lambda: bool(listener.events))
    async with asyncio.timeout(10):
        while len(waiting := await store.inbox(10)) > 1:
            await asyncio.sleep(0)
    assert [(item.kind, item.seq) for item in waiting] == [(RecordKind.RESULT, 1)]


async def test_latest_and_presence_are_passed_on_unaccounted(ingest, channel, listener, store):
    ingest.offer(message("latest", pack(site_batch(0, 2, 1, cycle=42))))
    ingest.offer(message("presence", encode(Presence(1, True, "b", 5))))
    await listener.until(lambda: listener.applied == [(SITE, NODE, 42)])
    await channel.until(lambda log: len(log) == 2)
    assert receipts(channel.log) == []
    assert await store.people.rows("SELECT 1 FROM miner_sample") == []


async def test_each_node_that_is_online_is_passed_on_whatever_the_listener_does_with_it(store, channel):
    welcomed: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def online(site: str, node: str) -> None:
        welcomed.put_nowait((site, node))
        raise RuntimeError("a bug of the listener")

    made = Ingest(store, channel, Audience(online=online))
    await made.start()
    for there in (False, True, True):
        made.offer(message("presence", encode(Presence(1, there, "b", 5))))
    async with asyncio.timeout(10):
        assert [await welcomed.get(), await welcomed.get()] == [(SITE, NODE)] * 2
    await channel.until(lambda log: len(log) == 3)
    await made.stop()
    assert welcomed.empty()


class Moody:
    """The real store, but it fails with `errors` first, and always with a record number of `poison`."""

    def __init__(self, store, errors=(), poison=frozenset()) -> None:
        self._store = store
        self._errors = list(errors)
        self._poison = poison

    def store(self, group, now_ms):
        if self._errors:
            raise self._errors.pop(0)
        if any(record.seq in self._poison for record in group.records):
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        return self._store.store(group, now_ms)

    def __getattr__(self, name):
        return getattr(self._store, name)


@pytest.fixture
async def begin(store, channel, listener, monkeypatch):
    """`await begin(errors=…, poison=…)`: ingest over a moody store."""
    monkeypatch.setattr(storing, "FIRST_PAUSE_S", 0.01)
    made = []

    async def begin(**mood):
        ingest = Ingest(Moody(store, **mood), channel, Audience((listener,), listener))
        made.append(ingest)
        await ingest.start()
        return ingest

    yield begin
    for ingest in made:
        await ingest.stop()


async def test_a_store_that_is_sick_for_a_while_is_waited_for_and_told_of(begin, channel, listener):
    ingest = await begin(errors=[StorageUnavailable("the disk is gone")] * 3)
    troubles = []
    ingest.on_trouble = troubles.append
    first, second = record(1), record(2)
    ingest.offer(first)
    ingest.offer(second)
    await listener.until(lambda: len(listener.applied) == 2)
    assert channel.log[:2] == [("ack", first.mid), ("receipt", ("e1", 1))] or channel.log[:3] == [
        ("ack", first.mid),
        ("ack", second.mid),
        ("receipt", ("e1", 2)),
    ]
    assert troubles == ["the disk is gone [storage.unavailable]", ""]
    assert ingest.busy_s() < 10


async def test_one_record_that_the_store_cannot_take_costs_nobody_else(begin, channel, listener, store):
    ingest = await begin(poison={2})
    for item in (record(1), record(2), record(3), record(1, node="n2", epoch="e2")):
        ingest.offer(item)
    await channel.until(lambda log: {("e1", 3), ("e2", 1)} <= set(receipts(log)))
    (row,) = await TelemetryReader(store).quarantine()
    assert (row.code, row.epoch, row.seq) == ("storage.unfit", "e1", 2)
    assert row.detail.startswith("OverflowError")
    await listener.until(lambda: len(listener.applied) == 3)
    assert ingest.counters.rejected == {"storage.unfit": 1}
    assert len([1 for what, _ in channel.log if what == "ack"]) == 4


async def test_what_breaks_after_the_commit_begins_a_new_connection(ingest, channel, monkeypatch):
    """Otherwise nobody would ever acknowledge these messages, and the broker's window would stay closed."""

    def fail(_receipt):
        raise RuntimeError("bug")

    monkeypatch.setattr(channel, "publish_receipt", fail)
    ingest.offer(record(1))
    await channel.until(lambda log: ("reset", None) in log)
    monkeypatch.undo()
    ingest.offer(record(2))
    await channel.until(lambda log: ("e1", 2) in receipts(log))


class BrokenStore:
    def __init__(self) -> None:
        self.tried = threading.Event()

    def store(self, group, now_ms):
        self.tried.set()
        raise StorageUnavailable("the disk is gone")

    async def inbox(self, limit, *, after=0, kinds=()):
        return []

    async def inbox_done(self, numbers):
        raise AssertionError


async def test_nothing_is_acknowledged_or_receipted_that_was_not_stored(channel):
    store = BrokenStore()
    ingest = Ingest(store, channel, Audience())
    await ingest.start()
    ingest.offer(record(1))
    assert await asyncio.to_thread(store.tried.wait, 10)
    await ingest.stop()
    assert channel.log == []


async def test_a_full_queue_drops_and_frees_the_broker_but_receipts_nothing(channel):
    ingest = Ingest(BrokenStore(), channel, Audience(), settings=IngestSettings(queue_messages=2))
    for seq in range(1, 5):
        ingest.offer(record(seq))
    assert ingest.counters.overflowed == 2
    assert [what for what, _ in channel.log] == ["ack", "ack"]
