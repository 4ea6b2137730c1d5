"""The box's side of MuSig2 (BIP-327): a secret nonce a slot, made in round one, used once in round two.

A nonce that signs twice gives the key away. So it is bound to transaction, input, leaf, participants, tweaks and
message, never leaves this process's memory, and is gone after the first use, after a round that began anew, and after
a restart.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from agent.signer.keystore.service import Keystore
from shared.bitcoin.musig import KeyAggregate, SecretNonce, Session
from shared.errors import BitcoinMalformed, Denied

_OPEN_AT_MOST = 512
_VALID_S = 3600.0


class Slot(msgspec.Struct, frozen=True):
    """What a nonce is for: one key's part in one input. `leaf_hash` is None for the key path."""

    txid: str
    input_index: int
    leaf_hash: bytes | None
    public_key: bytes


class _Open(NamedTuple):
    nonce: SecretNonce
    digest: bytes
    aggregate_key: bytes
    made_s: float


class MusigRounds:
    """Open nonces of wrapped keys. Calls block; they are made in a thread."""

    def __init__(self, keystore: Keystore, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._keystore = keystore
        self._monotonic_s = monotonic_s
        self._open: dict[Slot, _Open] = {}
        self._lock = threading.Lock()

    def nonce(self, slot: Slot, aggregate: KeyAggregate, digest: bytes) -> bytes:
        """Round one: the public nonce, 66 bytes. A nonce that waited in this slot never signs.

        Denied `musig.session` where the key is not among the participants or the digest is not 32 bytes.
        """
        software, key = self._keystore.software(slot.public_key)
        with self._lock:
            self.forget(slot)
            self._make_room()
            try:
                with software.unlocked(key) as secret:
                    nonce = aggregate.nonce(slot.public_key, bytes(secret), digest)
            except BitcoinMalformed as error:
                raise Denied("musig.session", f"input {slot.input_index}: {error.detail}") from error
            self._open[slot] = _Open(nonce, digest, aggregate.public_key, self._monotonic_s())
            return nonce.public

    def partial(self, slot: Slot, session: Session) -> bytes:
        """Round two: the partial signature, 32 bytes, verified. The nonce is gone, whatever comes out.

        Denied `musig.nonce` where no nonce waits in the slot: used, too old, cancelled, or lost with a restart.
        Denied `musig.session` where the session is about another message, other participants or tweaks, or without the
        box's own nonce. Denied `sign.selfcheck` where the partial signature does not verify.
        """
        software, key = self._keystore.software(slot.public_key)
        with self._lock:
            waiting = self._take(slot)
            with waiting.nonce:
                _require_same(slot, waiting, session)
                try:
                    with software.unlocked(key) as secret:
                        partial = waiting.nonce.sign(bytes(secret), session)
                except BitcoinMalformed as error:
                    raise Denied("musig.session", f"input {slot.input_index}: {error.detail}") from error
        if not session.verify(session.aggregate.public_keys.index(slot.public_key), partial):
            raise Denied("sign.selfcheck", f"input {slot.input_index}: the partial signature does not verify")
        return partial

    def forget(self, slot: Slot) -> None:
        """The session is cancelled."""
        waiting = self._open.pop(slot, None)
        if waiting is not None:
            waiting.nonce.wipe()

    def __len__(self) -> int:
        return len(self._open)

    def _take(self, slot: Slot) -> _Open:
        waiting = self._open.pop(slot, None)
        if waiting is None:
            raise Denied(
                "musig.nonce",
                f"input {slot.input_index} of {slot.txid}: no nonce waits; it was used or lost with a restart; "
                "begin the round anew",
            )
        if self._monotonic_s() - waiting.made_s > _VALID_S:
            waiting.nonce.wipe()
            raise Denied("musig.nonce", f"input {slot.input_index} of {slot.txid}: the nonce is too old; begin anew")
        return waiting

    def _make_room(self) -> None:
        while len(self._open) >= _OPEN_AT_MOST:
            self.forget(next(iter(self._open)))


def _require_same(slot: Slot, waiting: _Open, session: Session) -> None:
    if (session.message, session.aggregate.public_key) != (waiting.digest, waiting.aggregate_key):
        raise Denied(
            "musig.session", f"input {slot.input_index}: the nonce was made for another message or other participants"
        )
