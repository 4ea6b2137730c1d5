"""`Keystore`: every key of the box by its public key, wherever it lives."""

from collections.abc import Iterable, Sequence

from agent.signer.keystore.hsm_key import HsmKey, HsmKeys
from agent.signer.keystore.software_key import Promise, SoftwareKey, SoftwareKeys
from shared.errors import Denied, KeyUnsafe


class Keystore:
    """Calls block; they are made in a thread. What leaves here was verified under the public key."""

    def __init__(self, hsm: HsmKeys, software: SoftwareKeys | None = None) -> None:
        self._hsm = hsm
        self._software = software
        self._in_token: dict[bytes, HsmKey] = {}
        self._wrapped: dict[bytes, SoftwareKey] = {}
        self._checked: int | None = None  # the session in which all keys were looked at

    def open(self, pinned: Iterable[HsmKey]) -> None:
        """Know these keys and the wrapped ones, and `check` them. Where the check fails they are known all the same,
        and sign once a later one has passed.
        """
        self._in_token = {key.public_key: key for key in pinned}
        self._wrapped = {key.public_key: key for key in self._software.all()} if self._software else {}
        self.check()

    def check(self) -> None:
        """The token answers, and holds every key as it was pinned or wrapped; nothing is signed before that was found.

        KeyUnsafe names the wrong key; TokenUnavailable, PinRefused. All keys are looked at once a session.
        """
        if self._checked == self._hsm.session:
            self._hsm.touch()
            return
        self._hsm.open(self._in_token.values())
        if self._software:
            self._software.check(self._wrapped.values())
        self._checked = self._hsm.session

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """Compressed, 33 bytes each."""
        return (*self._in_token, *self._wrapped)

    def holds(self, public_key: bytes) -> bool:
        return public_key in self._in_token or public_key in self._wrapped

    def sign_ecdsa(self, public_key: bytes, digest: bytes) -> bytes:
        """Strict DER with low S, without the sighash byte. Denied `sign.selfcheck`."""
        key = self._in_token.get(public_key)
        if key is not None:
            return self._hsm.sign(key, digest)
        software, wrapped = self.software(public_key)
        return software.sign_ecdsa(wrapped, digest)

    def promise(self, public_key: bytes, asked: Sequence[Promise]) -> tuple[bytes, ...]:
        """An encrypted ECDSA signature (162 bytes) for each. Denied `sign.not-ours` for a key that only the token has,
        `sign.selfcheck`.
        """
        if public_key not in self._wrapped:
            raise Denied("sign.not-ours", f"key {public_key.hex()} is no wrapped key; a forward needs one")
        software, key = self.software(public_key)
        return software.promise(key, asked)

    def sign_schnorr(self, public_key: bytes, digest: bytes, tweak: bytes | None = None) -> bytes:
        """64 bytes (BIP-340), by the key as it is or tweaked as an internal key (BIP-341). Denied `sign.selfcheck`."""
        software, key = self.software(public_key)
        return software.sign(key, digest, tweak)

    def software(self, public_key: bytes) -> tuple[SoftwareKeys, SoftwareKey]:
        key = self._wrapped.get(public_key)
        if self._software is None or key is None:
            raise KeyUnsafe(f"no key {public_key.hex()} in the token, and no wrapped one")
        return self._software, key
