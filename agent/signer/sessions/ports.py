"""What sessions need of the world."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from agent.signer.clock.model import ChainTime
from agent.signer.keystore import Promise, Slot
from shared.bitcoin.kernel import Verdict
from shared.bitcoin.musig import KeyAggregate, Session
from shared.bitcoin.transaction import TxOut
from shared.wire.signing import Kind

Say = Callable[[Kind, msgspec.Struct], object]
"""Seal it under the box's key and send it up."""


class HeaderClock(Protocol):
    def tip(self) -> ChainTime:
        """The best header known, however old."""
        ...

    def time(self) -> ChainTime:
        """Denied `clock.stale` where the headers are too old to be believed."""
        ...

    def bits_at(self, height: int) -> int | None:
        """The compact target of the block at a height; None where no header of it is known."""
        ...


class Judge(Protocol):
    """`shared.bitcoin.kernel.Judge`: a process of its own, whose death is a refusal. Blocks."""

    def accepts_all(self, cases: Sequence[tuple[bytes, Sequence[TxOut]]]) -> list[Verdict]: ...


class Rounds(Protocol):
    """The two rounds of MuSig2 (`agent.signer.keystore.MusigRounds`). Calls block."""

    def nonce(self, slot: Slot, aggregate: KeyAggregate, digest: bytes) -> bytes: ...

    def partial(self, slot: Slot, session: Session) -> bytes: ...


class Keys(Protocol):
    """Keys are named by their compressed public key. All calls block; they are made in a thread.

    What leaves here was verified under the public key (`sign.selfcheck`).
    """

    @property
    def public_keys(self) -> tuple[bytes, ...]: ...

    def holds(self, public_key: bytes) -> bool: ...

    def check(self) -> None:
        """KeystoreError where the token does not answer, or a key in it is not the one that was pinned."""
        ...

    def sign_ecdsa(self, public_key: bytes, digest: bytes) -> bytes:
        """Strict DER with low S, without the sighash byte."""
        ...

    def promise(self, public_key: bytes, asked: Sequence[Promise]) -> tuple[bytes, ...]:
        """An encrypted ECDSA signature (162 bytes) for each. `sign.not-ours` for a key that only the token has."""
        ...

    def sign_schnorr(self, public_key: bytes, digest: bytes, tweak: bytes | None = None) -> bytes:
        """64 bytes (BIP-340), by the key as it is or tweaked as an internal key (BIP-341)."""
        ...
