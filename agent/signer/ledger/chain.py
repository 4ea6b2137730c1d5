"""The hash chain: each row's digest covers all its columns and the digest before it.

digest(n) = SHA-256("bes/ledger/v1" 0x00 canonical(n)), where canonical(n) is the MessagePack array of the columns in
the order of `Entry`, without the digest itself. Before the first row stands
SHA-256("bes/ledger/genesis/v1" 0x00 box id).
"""

import hashlib

import msgspec

from agent.signer.ledger.model import Entry

_ENTRY = b"bes/ledger/v1\x00"
_GENESIS = b"bes/ledger/genesis/v1\x00"
_encode = msgspec.msgpack.Encoder().encode


def genesis(box_id: str) -> bytes:
    return hashlib.sha256(_GENESIS + box_id.encode()).digest()


def sealed(entry: Entry) -> Entry:
    """The row with the digest that its columns give."""
    return msgspec.structs.replace(entry, digest=expected_digest(entry))


def expected_digest(entry: Entry) -> bytes:
    return hashlib.sha256(_ENTRY + _encode(msgspec.structs.astuple(entry)[:-1])).digest()
