"""The hash chain: each event's digest covers all its fields and the digest before it.

digest(n) = SHA-256("bes/journal/v1" 0x00 canonical(n)), where canonical(n) is the MessagePack array
[previous, position, stream, version, at_ms, actor, name, data]. The digest before the first event is
SHA-256("bes/journal/genesis/v1" 0x00 log_id), so that no part of one log fits into another.
"""

import hashlib

import msgspec

from controller.journal.model import NewEvent, RecordedEvent

LOG_ID_BYTES = 16
DIGEST_BYTES = 32
_EVENT = b"bes/journal/v1\x00"
_GENESIS = b"bes/journal/genesis/v1\x00"
_encode = msgspec.msgpack.Encoder().encode


def genesis(log_id: bytes) -> bytes:
    return hashlib.sha256(_GENESIS + log_id).digest()


def link(previous: bytes, place: tuple[int, str, int], at_ms: int, event: NewEvent) -> RecordedEvent:
    """The event as it stands at `place` (position, stream, version) after the digest `previous`."""
    position, stream, version = place
    canonical = _encode((previous, position, stream, version, at_ms, event.actor, event.name, event.data))
    digest = hashlib.sha256(_EVENT + canonical).digest()
    return RecordedEvent(position, stream, version, at_ms, event.actor, event.name, event.data, previous, digest)


def expected_digest(event: RecordedEvent) -> bytes:
    """The digest that the event's own fields give."""
    place = (event.position, event.stream, event.version)
    return link(event.previous, place, event.at_ms, NewEvent(event.name, event.data, event.actor)).digest
