"""Where a key comes from: which master key and which path, as PSBTs and descriptors say it."""

import struct
from typing import Final, NamedTuple

from shared.errors import BitcoinMalformed

HARDENED: Final = 0x8000_0000
FINGERPRINT_BYTES: Final = 4


class KeyOrigin(NamedTuple):
    """`fingerprint` of the master key (BIP-32, 4 bytes) and the steps from it, the highest bit set in hardened ones."""

    fingerprint: bytes
    path: tuple[int, ...] = ()

    @staticmethod
    def parse(raw: bytes) -> "KeyOrigin":
        """As BIP-174 stores it: the fingerprint and steps of four bytes, little endian."""
        if len(raw) < FINGERPRINT_BYTES or len(raw) % 4:
            raise BitcoinMalformed(f"key origin: {len(raw)} bytes are not a fingerprint and steps of four bytes")
        return KeyOrigin(raw[:FINGERPRINT_BYTES], struct.unpack_from(f"<{len(raw) // 4 - 1}I", raw, FINGERPRINT_BYTES))

    @property
    def raw(self) -> bytes:
        return self.fingerprint + struct.pack(f"<{len(self.path)}I", *self.path)

    def __str__(self) -> str:
        """As in a descriptor, without brackets: `d34db33f/48h/0h/0h/2h`."""
        steps = (f"/{step - HARDENED}h" if step >= HARDENED else f"/{step}" for step in self.path)
        return self.fingerprint.hex() + "".join(steps)
