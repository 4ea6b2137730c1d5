"""Any bytes become an arrival, a rejection or a WireError; nothing else, and never much memory."""

import contextlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.site_load import site_batch
from controller.ingest import RecordArrival, Rejection
from controller.ingest.decode import Decoder
from shared.errors import DecodeFailed, VersionUnsupported, WireError
from shared.wire.codec import encode, pack
from shared.wire.event import EventBatch
from shared.wire.record import Gap, GapBatch, Hello, Record, RecordKind, checksum
from shared.wire.topics import Address

TELEMETRY = Address("north", "n1", "telemetry")
EVENT = Address("north", "n1", "event")
DECODER = Decoder({RecordKind.EVENT: EventBatch})
TOPIC = "topic"


def record(body: bytes, *, seq: int = 1, kind: int = RecordKind.TELEMETRY, crc: int | None = None, epoch: str = "e"):
    return encode(Record(1, epoch, seq, kind, checksum(seq, body) if crc is None else crc, 1, body))


GOOD = record(pack(site_batch(0, 3, 1000)))


def test_a_good_record_arrives():
    arrival = DECODER.record(TELEMETRY, TOPIC, GOOD)
    assert isinstance(arrival, RecordArrival)
    assert (arrival.site, arrival.node, arrival.epoch, arrival.seq) == ("north", "n1", "e", 1)
    assert arrival.message.sample_count() == 3


@given(st.binary(max_size=400))
def test_any_bytes(payload):
    for call in (
        lambda: DECODER.record(TELEMETRY, TOPIC, payload),
        lambda: DECODER.hello(TELEMETRY, payload),
        lambda: DECODER.live(payload),
    ):
        with contextlib.suppress(WireError):
            call()


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_any_flipped_byte(position, mask):
    payload = bytearray(GOOD)
    payload[position] ^= mask
    with contextlib.suppress(WireError):
        DECODER.record(TELEMETRY, TOPIC, bytes(payload))


@given(st.integers(0, len(GOOD) - 1))
def test_any_cut(length):
    with pytest.raises(WireError):
        DECODER.record(TELEMETRY, TOPIC, GOOD[:length])


@given(st.binary(max_size=200))
def test_any_body_of_a_whole_record_is_rejected_with_its_name(body):
    try:
        arrival = DECODER.record(TELEMETRY, TOPIC, record(body, seq=7))
    except WireError:
        pytest.fail("an envelope that is whole must not be refused: it would be sent for ever")
    assert isinstance(arrival, Rejection | RecordArrival)
    if isinstance(arrival, Rejection):
        assert arrival.record == ("north", "n1", "e", 7)


def unequal():
    batch = site_batch(0, 2, 1000)
    batch.miners.power_w.append(1.0)
    return batch


@pytest.mark.parametrize(
    "payload",
    [
        record(pack(unequal())),
        record(pack(EventBatch()), kind=RecordKind.EVENT),  # under the wrong leaf
        record(b"", kind=99),
        record(zstandard.compress(bytes(64 << 20))),  # a bomb
        record(pack(EventBatch(version=2))),
    ],
)
def test_what_nobody_will_ever_understand_is_rejected(payload):
    assert isinstance(DECODER.record(TELEMETRY, TOPIC, payload), Rejection)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (record(b"x", crc=1), DecodeFailed),
        (record(b"x", seq=0), DecodeFailed),
        (record(b"x", seq=1 << 60), DecodeFailed),
        (record(b"x", epoch="e" * 200), DecodeFailed),
        (encode(Record(9, "e", 1, 1, 0, 0, b"")), VersionUnsupported),
        (bytes(2 << 20), DecodeFailed),
    ],
)
def test_what_is_no_whole_record_will_be_sent_again(payload, error):
    with pytest.raises(error):
        DECODER.record(TELEMETRY, TOPIC, payload)


@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 2), (1, 1 << 60)])
def test_a_gap_must_be_a_range(first, last):
    body = pack(GapBatch(gaps=(Gap("e", first, last, None, "operator", None, None),)))
    assert isinstance(DECODER.record(EVENT, TOPIC, record(body, kind=RecordKind.GAP)), Rejection)


def test_a_kind_that_nobody_consumes_is_kept_as_it_came():
    arrival = DECODER.record(Address("north", "n1", "result"), TOPIC, record(b"anything", kind=RecordKind.RESULT))
    assert isinstance(arrival, RecordArrival)
    assert arrival.body == b"anything"


def test_a_hello_that_makes_no_sense_is_refused():
    hello = Hello(1, "e", 5, 3, 0, "b", "site", "0", 0)
    with pytest.raises(DecodeFailed):
        DECODER.hello(TELEMETRY, encode(hello))
