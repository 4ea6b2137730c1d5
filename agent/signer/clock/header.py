"""A block header: 80 bytes (Bitcoin developer reference, block headers)."""

import hashlib
import struct
from typing import NamedTuple

from shared.errors import BitcoinMalformed

HEADER_BYTES = 80
_FIELDS = struct.Struct("<i32s32sIII")
_MANTISSA_SIGN = 0x00800000


class Header(NamedTuple):
    """Hashes in internal byte order; `time_s` in seconds since 1970."""

    raw: bytes
    hash: bytes
    previous: bytes
    time_s: int
    bits: int

    @property
    def has_work(self) -> bool:
        """Whether the hash is below the target that the header claims; whether it may claim it, says the chain."""
        return int.from_bytes(self.hash, "little") <= target_of(self.bits)


def parse(raw: bytes) -> Header:
    """BitcoinMalformed where there are not exactly 80 bytes."""
    if len(raw) != HEADER_BYTES:
        raise BitcoinMalformed(f"block header: {len(raw)} bytes, it has {HEADER_BYTES}")
    _, previous, _, time_s, bits, _ = _FIELDS.unpack(raw)
    digest = hashlib.sha256(hashlib.sha256(raw).digest()).digest()
    return Header(raw, digest, previous, time_s, bits)


def target_of(bits: int) -> int:
    """The number that compact `bits` stand for; 0 where they are negative or too large."""
    size, mantissa = bits >> 24, bits & 0x007FFFFF
    target = mantissa >> 8 * (3 - size) if size <= 3 else mantissa << 8 * (size - 3)
    return 0 if bits & _MANTISSA_SIGN or target >> 256 else target


def display(digest: bytes) -> str:
    """A hash as people write it."""
    return digest[::-1].hex()
