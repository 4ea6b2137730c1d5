"""From bytes to arrivals: strict, bounded, never fatal."""

from collections.abc import Mapping

import msgspec

from controller.ingest.model import HelloArrival, RecordArrival, Rejection
from shared.errors import DecodeFailed, WireError
from shared.wire.codec import MAX_MESSAGE_BYTES, decode, unpack
from shared.wire.record import Gap, GapBatch, Hello, Record, RecordKind, check
from shared.wire.telemetry import TelemetryBatch, lengths_agree
from shared.wire.topics import Address

LONGEST_ID = 128
HIGHEST_SEQ = 1 << 53


class Decoder:
    """`messages` says what consumers want of each kind; a kind that nobody consumes is kept as bytes."""

    def __init__(self, messages: Mapping[RecordKind, type[msgspec.Struct]]) -> None:
        ours: dict[RecordKind, type[msgspec.Struct]] = {RecordKind.TELEMETRY: TelemetryBatch, RecordKind.GAP: GapBatch}
        self._messages = {**messages, **ours}

    def hello(self, address: Address, payload: bytes) -> HelloArrival:
        """WireError where it is none."""
        hello = decode(_bounded(payload), Hello)
        _check_epoch(hello.epoch)
        _check_span(1, hello.lowest_seq, hello.highest_seq + 1)
        return HelloArrival(address.site, address.node, hello)

    def live(self, payload: bytes) -> TelemetryBatch:
        """The unaccounted batch of `latest`; WireError where it is none."""
        return _checked(unpack(_bounded(payload), TelemetryBatch))

    def record(self, address: Address, topic: str, payload: bytes) -> RecordArrival | Rejection:
        """WireError where not even the envelope is whole: the node will send it again."""
        record = decode(_bounded(payload), Record)
        check(record)
        _check_epoch(record.epoch)
        _check_span(1, record.seq, record.seq)
        try:
            kind = RecordKind(record.kind)
            if kind.leaf != address.leaf:
                raise DecodeFailed(f"a record of kind {kind.name} came under {address.leaf}")
            message = self._body(kind, record.body)
        except Exception as error:  # whatever breaks our decoding is of a shape that we do not know
            code = error.code if isinstance(error, WireError) else DecodeFailed.code
            identity = (address.site, address.node, record.epoch, record.seq)
            return Rejection(topic, code, str(error), payload, identity)
        return RecordArrival(address.site, address.node, record.epoch, record.seq, record.kind, record.body, message)

    def _body(self, kind: RecordKind, body: bytes) -> object:
        wanted = self._messages.get(kind)
        if wanted is None:
            return None
        message = unpack(body, wanted)
        if isinstance(message, TelemetryBatch):
            return _checked(message)
        if isinstance(message, GapBatch):
            for gap in message.gaps:
                _check_gap(gap)
        return message


def _bounded(payload: bytes) -> bytes:
    if len(payload) > MAX_MESSAGE_BYTES:
        raise DecodeFailed(f"{len(payload)} bytes are more than {MAX_MESSAGE_BYTES}")
    return payload


def _checked(batch: TelemetryBatch) -> TelemetryBatch:
    if not lengths_agree(batch):
        raise DecodeFailed("TelemetryBatch: columns of unequal length")
    for table in (batch.miners, batch.boards, batch.meters, batch.outlets):
        if max(map(len, table.device_id), default=0) > LONGEST_ID:
            raise DecodeFailed(f"TelemetryBatch: a device id is longer than {LONGEST_ID}")
    return batch


def _check_gap(gap: Gap) -> None:
    _check_epoch(gap.epoch)
    _check_span(1, gap.from_seq, gap.to_seq)


def _check_epoch(epoch: str) -> None:
    if not 1 <= len(epoch) <= LONGEST_ID:
        raise DecodeFailed(f"an epoch of {len(epoch)} characters")


def _check_span(least: int, first: int, last: int) -> None:
    if not least <= first <= last <= HIGHEST_SEQ:
        raise DecodeFailed(f"numbers {first} to {last} are no range of records")
