"""Any numbers in any field: whatever one node sends, the others' records of the same group are stored."""

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.site_load import site_batch
from controller.ingest import Group, RecordArrival
from controller.ingest.decode import Decoder
from controller.ingest.storing import Storing, Work
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared.clock import SystemClock
from shared.errors import WireError
from shared.wire.bound import HIGHEST, LATEST_MS
from shared.wire.codec import encode, pack, unpack
from shared.wire.event import Event, EventBatch
from shared.wire.record import Gap, GapBatch, Hello, Record, RecordKind, checksum
from shared.wire.telemetry import HostSample, TelemetryBatch
from shared.wire.topics import Address

DECODER = Decoder({RecordKind.EVENT: EventBatch})
INTEGERS = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.sampled_from([-(1 << 63), (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -1, 0, HIGHEST, LATEST_MS, 1 << 60]),
)
FLOATS = st.sampled_from([float("nan"), float("inf"), float("-inf"), 1e308, -1.0])

HOST = HostSample(1_000, 1.0, 1.0, 1.0, 1.0, 1, 1.0, 1.0, 1.0, 1.0, 5, 5, 1, 1.0)
BATCH = site_batch(0, 2, 1_000)
BATCH.host = HOST
BODIES = {
    RecordKind.TELEMETRY: BATCH,
    RecordKind.GAP: GapBatch(gaps=(Gap("gone", 7, 9, 3, "operator", 1_000, 2_000),)),
    RecordKind.EVENT: EventBatch(events=(Event(1_000, "c", "s", 2, "t"),)),
}
HELLO = Hello(1, "e", 1, 3, 3, "b", "site", "0", 1_000, b"", 500)


def number_places(node: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Where numbers stand in a tree of lists; the first field, the version, stays as it is."""
    if isinstance(node, list):
        return [place for index, item in enumerate(node) for place in number_places(item, (*path, index))]
    return [path] if isinstance(node, int | float) and not isinstance(node, bool) and path != (0,) else []


def mutated(message: msgspec.Struct, data: st.DataObject) -> bytes:
    """The message with some of its numbers replaced, as a hostile or broken node would encode it."""
    tree = msgspec.msgpack.decode(encode(message))
    places = number_places(tree)
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        node = tree
        for index in place[:-1]:
            node = node[index]
        kind = FLOATS if isinstance(node[place[-1]], float) else INTEGERS
        node[place[-1]] = data.draw(kind)
    return msgspec.msgpack.encode(tree)


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory):
    """(store, storing) over a real file."""
    store = SqliteTelemetry(Path(tmp_path_factory.mktemp("any")) / "telemetry.db")
    store.committer.start()
    yield store, Storing(store, SystemClock(), threading.Event(), Work())
    store.committer.stop()


numbers = iter(range(1, 1_000_000))


def record(node: str, kind: RecordKind, raw: bytes) -> Any:
    body = pack(msgspec.Raw(raw))
    seq = next(numbers)
    payload = encode(Record(1, "e", seq, kind, checksum(seq, body), 1, body))
    return DECODER.record(Address("north", node, kind.leaf), "topic", payload)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(list(BODIES)), st.data())
def test_a_poisoned_record_costs_at_most_itself(lane, kind, data):
    _, storing = lane
    poisoned = record("hostile", kind, mutated(BODIES[kind], data))
    good = record("honest", RecordKind.TELEMETRY, encode(BATCH))
    assert isinstance(good, RecordArrival)
    arrived = [poisoned, good] if isinstance(poisoned, RecordArrival) else [good]
    result = storing.put(Group(arrived, [], [] if poisoned in arrived else [poisoned]))
    assert good in result.fresh
    kept = poisoned in result.fresh or result.rejected or poisoned not in arrived
    assert kept, "the poisoned record is stored or in quarantine"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_poisoned_hello_costs_at_most_itself(lane, data):
    _, storing = lane
    try:
        hello = DECODER.hello(Address("north", "hostile", "hello"), mutated(HELLO, data))
    except WireError:
        return
    good = record("honest", RecordKind.TELEMETRY, encode(BATCH))
    assert good in storing.put(Group([good], [hello], [])).fresh


@given(st.data())
def test_what_is_decoded_fits_into_every_integer_column(data):
    """So that nothing behind the decoder has to look."""
    try:
        batch = unpack(pack(msgspec.Raw(mutated(BATCH, data))), TelemetryBatch)
    except WireError:
        return
    tree = msgspec.msgpack.decode(encode(batch))
    for place in number_places(tree):
        value: Any = tree
        for index in place:
            value = value[index]
        assert not isinstance(value, int) or -(1 << 63) <= value < 1 << 63
