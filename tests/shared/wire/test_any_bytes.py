"""Whatever arrives becomes a message or a WireError, and what was sent comes back as it was."""

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.errors import DecodeFailed, SignatureInvalid, VersionUnsupported, WireError
from shared.wire.bound import HIGHEST, LATEST_MS
from shared.wire.codec import MAX_BODY_BYTES, decode, encode, pack, unpack
from shared.wire.envelope import Envelope
from shared.wire.event import EventBatch, Inventory
from shared.wire.record import (
    RECEIPT_DOMAIN,
    Gap,
    GapBatch,
    Hello,
    Presence,
    Receipt,
    Record,
    check,
    checksum,
)
from shared.wire.telemetry import TelemetryBatch, lengths_agree
from shared.wire.topics import parse

MESSAGES = [Envelope, EventBatch, GapBatch, Hello, Inventory, Presence, Receipt, Record, TelemetryBatch]
KEY = SigningKey(b"k" * 32)
TRUSTED = {key_id(KEY.verify_key): KEY.verify_key}
RECEIPT = Receipt(1, "north", "n1", "e", 7, 0)
SEALED = seal(RECEIPT_DOMAIN, RECEIPT, [KEY])
numbers = st.integers(0, HIGHEST)
times = st.integers(0, LATEST_MS)


def message_or_wire_error(call) -> object | None:
    try:
        return call()
    except WireError:
        return None


@pytest.mark.parametrize("kind", MESSAGES)
@given(raw=st.binary(max_size=300))
def test_any_bytes(kind, raw):
    message = message_or_wire_error(lambda: decode(raw, kind))
    assert message is None or isinstance(message, kind)
    message_or_wire_error(lambda: unpack(raw, kind))


@given(raw=st.recursive(st.none() | st.integers(-5, 300) | st.binary(max_size=4) | st.text(max_size=4), st.lists))
def test_any_well_formed_message_pack(raw):
    """Bytes that decode, but to the wrong shape, come nearest to passing."""
    packed = msgspec.msgpack.encode([1, raw, raw, raw, raw, raw, raw])
    for kind in MESSAGES:
        message = message_or_wire_error(lambda kind=kind: decode(packed, kind))
        if isinstance(message, TelemetryBatch):
            lengths_agree(message)


@given(raw=st.binary(max_size=300))
def test_any_bytes_as_a_signed_message(raw):
    with pytest.raises(WireError):
        unseal(RECEIPT_DOMAIN, raw, TRUSTED, Receipt)


@given(position=st.integers(0, len(SEALED) - 1), mask=st.integers(1, 255))
def test_a_flipped_byte_never_changes_what_is_believed(position, mask):
    raw = bytearray(SEALED)
    raw[position] ^= mask
    opened = message_or_wire_error(lambda: unseal(RECEIPT_DOMAIN, bytes(raw), TRUSTED, Receipt))
    assert opened is None or opened[0] == RECEIPT


def test_a_signature_for_one_purpose_does_not_serve_another():
    with pytest.raises(SignatureInvalid):
        unseal(b"bes/command/v1", SEALED, TRUSTED, Receipt)


@given(
    gaps=st.lists(
        st.builds(
            Gap,
            st.text(max_size=8),
            numbers,
            numbers,
            st.none() | numbers,
            st.text(max_size=8),
            st.none() | times,
            st.none() | times,
        ),
        max_size=5,
    )
)
def test_what_is_packed_comes_back(gaps):
    batch = GapBatch(gaps=tuple(gaps))
    assert unpack(pack(batch), GapBatch) == batch
    assert decode(encode(batch), GapBatch) == batch


@given(
    body=st.binary(max_size=200), seq=st.integers(1, 1 << 53), position=st.integers(0, 199), mask=st.integers(1, 255)
)
def test_the_checksum_finds_every_flipped_byte_and_every_wrong_number(body, seq, position, mask):
    good = Record(1, "e", seq, 1, checksum(seq, body), 1, body)
    check(good)
    with pytest.raises(DecodeFailed):
        check(msgspec.structs.replace(good, seq=seq + 1))
    if body:
        flipped = bytearray(body)
        flipped[position % len(body)] ^= mask
        with pytest.raises(DecodeFailed):
            check(msgspec.structs.replace(good, body=bytes(flipped)))


def test_a_body_that_announces_too_much_is_refused_before_it_is_unpacked():
    with pytest.raises(DecodeFailed, match="would unpack to more"):
        unpack(zstandard.compress(bytes(MAX_BODY_BYTES + 1)), EventBatch)


def test_a_body_that_hides_its_size_is_refused_too():
    hidden = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(MAX_BODY_BYTES + 1))
    with pytest.raises(DecodeFailed):
        unpack(hidden, EventBatch)


@pytest.mark.parametrize("time_ms", [-1, LATEST_MS + 1, (1 << 64) - 1])
def test_a_time_that_has_no_date_is_refused(time_ms):
    with pytest.raises(DecodeFailed, match="Expected `int`"):
        decode(encode(Presence(1, True, "b", time_ms)), Presence)


def test_a_newer_version_is_refused_and_newer_fields_are_ignored():
    with pytest.raises(VersionUnsupported):
        decode(msgspec.msgpack.encode([2, []]), EventBatch)
    assert decode(msgspec.msgpack.encode([1, [], "a field of tomorrow"]), EventBatch) == EventBatch()


@given(topic=st.text(max_size=60))
def test_any_topic(topic):
    assert message_or_wire_error(lambda: parse(topic, "up")) is None
