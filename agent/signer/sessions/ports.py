"""What sessions need of the world."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from agent.signer.clock.model import ChainTime
from shared.wire.signing import Kind

Say = Callable[[Kind, msgspec.Struct], None]
"""Seal it under the box's key and send it up."""


class HeaderClock(Protocol):
    def tip(self) -> ChainTime:
        """The best header known, however old."""
        ...

    def time(self) -> ChainTime:
        """Denied `clock.stale` where the headers are too old to be believed."""
        ...


class Keys(Protocol):
    """Keys are named by their compressed public key. All calls block; they are made in a thread.

    What leaves here was verified under the public key (`sign.selfcheck`).
    """

    def holds(self, public_key: bytes) -> bool: ...

    def sign_ecdsa(self, public_key: bytes, digest: bytes) -> bytes:
        """Strict DER with low S, without the sighash byte."""
        ...

    def sign_schnorr(self, public_key: bytes, digest: bytes, tweak: bytes | None = None) -> bytes:
        """64 bytes (BIP-340), by the key as it is or tweaked as an internal key (BIP-341)."""
        ...
