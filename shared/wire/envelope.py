"""A signed message: the exact bytes, who signed them, and for what purpose.

The signature covers a domain word and the bytes as they travel, so nothing is re-encoded before it is checked, and a
receipt can never pass for a command. High-risk commands carry a second person's signature.
"""

import msgspec

from shared.wire.version import WIRE_VERSION


class Signature(msgspec.Struct, array_like=True, frozen=True):
    key_id: str
    value: bytes


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    version: int = WIRE_VERSION
    payload: bytes = b""
    signatures: tuple[Signature, ...] = ()
