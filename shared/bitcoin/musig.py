"""MuSig2 (BIP-327) by libsecp256k1: several keys sign as one, n of n.

Round one exchanges nonces, round two partial signatures. A secret nonce signs once and only the message, the tweaks and
the participants that it was made for: libsecp256k1 does not see to the latter, so `SecretNonce` does. It lives in this
process's memory and nowhere else; a restart ends the session, and a new one begins with new nonces.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Final, Self

from btclib_secp256k1 import musig as library

from shared.bitcoin.hashes import tagged_hash
from shared.errors import BitcoinMalformed

KEY_BYTES: Final = 33
NONCE_BYTES: Final = 66
PARTIAL_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Tweak:
    """Added to the aggregate key: plain for a step of BIP-32 (BIP-328), `xonly` for Taproot."""

    value: bytes
    xonly: bool = False


def sort_keys(public_keys: Sequence[bytes]) -> tuple[bytes, ...]:
    """BIP-327's KeySort: compressed keys in the order of their bytes, so that everybody finds the same aggregate."""
    return tuple(sorted(public_keys))


def taproot_tweak(internal_key: bytes, merkle_root: bytes = b"") -> Tweak:
    """BIP-341's, for an x-only internal key of 32 bytes; without a script tree the root is empty."""
    return Tweak(tagged_hash("TapTweak", internal_key + merkle_root), xonly=True)


class KeyAggregate:
    """The one key that several make, in the order given (see `sort_keys`), after its tweaks one after the other."""

    def __init__(self, public_keys: Sequence[bytes], tweaks: Sequence[Tweak] = ()) -> None:
        self.public_keys = tuple(public_keys)
        self.tweaks = tuple(tweaks)
        for key in self.public_keys:
            _sized(key, KEY_BYTES, "public key")
        try:
            self._cache = library.KeyAggCache(self.public_keys)
            for tweak in self.tweaks:
                add = self._cache.pubkey_xonly_tweak_add if tweak.xonly else self._cache.pubkey_ec_tweak_add
                add(tweak.value)
        except (ValueError, RuntimeError) as error:
            raise BitcoinMalformed(f"MuSig2: {error}") from error

    @cached_property
    def public_key(self) -> bytes:
        """33 bytes, after all tweaks."""
        return bytes(self._cache.pubkey_get())

    @property
    def xonly_key(self) -> bytes:
        """32 bytes, after all tweaks: what signatures verify against."""
        return self.public_key[1:]

    @property
    def untweaked_xonly_key(self) -> bytes:
        return bytes(self._cache.agg_pubkey)

    def tweaked(self, tweak: Tweak) -> "KeyAggregate":
        """The same with one tweak more."""
        return KeyAggregate(self.public_keys, (*self.tweaks, tweak))

    def session(self, message: bytes, nonces: Sequence[bytes]) -> "Session":
        """Round two, once everybody's public nonce is there, in the order of the keys."""
        if len(nonces) != len(self.public_keys):
            raise BitcoinMalformed(f"MuSig2: {len(self.public_keys)} participants but {len(nonces)} nonces")
        return Session(self, message, nonces)

    def nonce(self, public_key: bytes, secret: bytes, message: bytes) -> "SecretNonce":
        """Round one for one participant and one message of 32 bytes."""
        if public_key not in self.public_keys:
            raise BitcoinMalformed("MuSig2: the signer's key is not among the participants")
        return SecretNonce(self, public_key, secret, message)


class SecretNonce:
    """Signs once, for the aggregate and message it was made for; wiped on every outcome."""

    def __init__(self, aggregate: KeyAggregate, public_key: bytes, secret: bytes, message: bytes) -> None:
        self._bound = _binding(aggregate, message)
        self._public_key = public_key
        try:
            self._nonce = library.nonce_gen(public_key, secret, message, aggregate._cache)
        except (ValueError, RuntimeError) as error:
            raise BitcoinMalformed(f"MuSig2: {error}") from error
        self.public: Final = bytes(self._nonce.pubnonce)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def wipe(self) -> None:
        """The session is abandoned; the nonce never signs."""
        self._nonce.wipe()

    def sign(self, secret: bytes, session: "Session") -> bytes:
        """The partial signature, 32 bytes, verified; BitcoinMalformed for another session and for a second time."""
        try:
            if _binding(session.aggregate, session.message) != self._bound:
                raise BitcoinMalformed("MuSig2: this nonce was made for another message or other participants")
            if self.public not in session.nonces:
                raise BitcoinMalformed("MuSig2: this nonce is not among the session's nonces")
            return bytes(self._nonce.partial_sign(secret, session.aggregate._cache, session._session))
        except (ValueError, RuntimeError) as error:
            raise BitcoinMalformed(f"MuSig2: {error}") from error
        finally:
            self.wipe()


class Session:
    """Everybody's nonces for one message; holds nothing secret."""

    def __init__(self, aggregate: KeyAggregate, message: bytes, nonces: Sequence[bytes]) -> None:
        self.aggregate = aggregate
        self.message = message
        self.nonces = tuple(nonces)
        try:
            self._session = library.Session(aggregate_nonces(nonces), message, aggregate._cache)
        except (ValueError, RuntimeError) as error:
            raise BitcoinMalformed(f"MuSig2: {error}") from error

    def verify(self, index: int, partial: bytes) -> bool:
        """Whether the participant at `index` made this partial signature; False for anything that is none."""
        try:
            return bool(
                self._session.partial_sig_verify(
                    partial,
                    self.nonces[index],
                    self.aggregate.public_keys[index],
                    self.aggregate._cache,
                )
            )
        except ValueError:
            return False

    def combine(self, partials: Sequence[bytes]) -> bytes:
        """The BIP-340 signature of 64 bytes. Verify it: one wrong part makes it wrong, and this cannot tell."""
        if len(partials) != len(self.nonces):
            raise BitcoinMalformed(f"MuSig2: {len(self.nonces)} participants but {len(partials)} partial signatures")
        try:
            return bytes(self._session.partial_sig_agg(tuple(partials)))
        except (ValueError, RuntimeError) as error:
            raise BitcoinMalformed(f"MuSig2: {error}") from error


def aggregate_nonces(nonces: Sequence[bytes]) -> bytes:
    """BIP-327's NonceAgg, 66 bytes."""
    try:
        return bytes(library.nonce_agg(tuple(nonces)))
    except (ValueError, RuntimeError) as error:
        raise BitcoinMalformed(f"MuSig2: {error}") from error


def _binding(aggregate: KeyAggregate, message: bytes) -> bytes:
    parts = (aggregate.public_key, *aggregate.public_keys, _sized(message, 32, "message"))
    return hashlib.sha256(b"".join(parts)).digest()


def _sized(data: bytes, size: int, name: str) -> bytes:
    if len(data) != size:
        raise BitcoinMalformed(f"MuSig2: a {name} of {len(data)} bytes, expected {size}")
    return data
