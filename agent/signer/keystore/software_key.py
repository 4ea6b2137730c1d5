"""Keys for BIP-340 and encrypted signatures, which no general token makes: at rest wrapped by the token, in the clear
for one use.

Honest limit: while it signs, the secret is in this process's memory. `bytearray`s are overwritten after use; copies
that libraries make are not ours to wipe. So what such a key may spend is kept small by policy, and the process is
hardened (hardening.py).
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent.signer.keystore.wrap_key import WrapKey
from shared.bitcoin.dlc import encrypt, verify_encrypted
from shared.bitcoin.signature import ORDER, public_key_of, sign_ecdsa, sign_schnorr, verify_ecdsa, verify_schnorr
from shared.errors import BitcoinMalformed, Denied, KeyUnsafe, WireError
from shared.private_file import OWNER_ONLY
from shared.wire.codec import decode, encode

DIGEST_BYTES = 32
_SECRET_BYTES = 32
_ASSOCIATED = b"bes/software-key/v1\x00"
_SUFFIX = ".key"


class Promise(NamedTuple):
    """What is signed, and the point whose secret will make the signature readable (33 bytes)."""

    digest: bytes
    point: bytes


class SoftwareKey(msgspec.Struct, frozen=True, array_like=True):
    """`purpose` is bound to the wrapped secret: a key made for one contract opens for no other. `public_key` has 33
    bytes.
    """

    key_id: str
    purpose: str
    public_key: bytes
    wrapped: bytes

    @property
    def associated(self) -> bytes:
        return _ASSOCIATED + encode(_Bound(self.key_id, self.purpose, self.public_key))


class _Bound(msgspec.Struct, frozen=True, array_like=True):
    key_id: str
    purpose: str
    public_key: bytes


class SoftwareKeys:
    """One file a key in `folder`. Losing a file loses the key: back the folder up, it opens with this token only."""

    def __init__(self, folder: Path, wrap_key: WrapKey) -> None:
        self._folder = folder
        self._wrap_key = wrap_key

    def generate(self, key_id: str, purpose: str) -> SoftwareKey:
        """A new key, on the disk when it returns. KeyUnsafe where the id is taken."""
        path = self._path(key_id)
        if path.exists():
            raise KeyUnsafe(f"{path}: there is a key with this id already; choose another")
        secret = bytearray(secrets.token_bytes(_SECRET_BYTES))
        with wiped(secret):
            bare = SoftwareKey(key_id, purpose, public_key_of(bytes(secret)), b"")
            key = msgspec.structs.replace(bare, wrapped=self._wrap_key.wrap(secret, bare.associated))
        _store(path, encode(key))
        with self.unlocked(self.load(key_id)):
            return key

    def load(self, key_id: str) -> SoftwareKey:
        """KeyUnsafe where it is missing or another's."""
        path = self._path(key_id)
        try:
            key = decode(path.read_bytes(), SoftwareKey)
        except (OSError, WireError) as error:
            raise KeyUnsafe(f"{path}: the key cannot be read: {error}") from error
        if key.key_id != key_id:
            raise KeyUnsafe(f"{path}: holds key {key.key_id}; restore the file from the backup")
        return key

    def all(self) -> list[SoftwareKey]:
        return [self.load(path.stem) for path in sorted(self._folder.glob(f"*{_SUFFIX}"))]

    def check(self, keys: Iterable[SoftwareKey]) -> None:
        """The wrapping key is in the token, and opens each of these; KeyUnsafe where not."""
        self._wrap_key.open()
        for key in keys:
            with self.unlocked(key):
                pass

    @contextmanager
    def unlocked(self, key: SoftwareKey) -> Iterator[bytearray]:
        """The secret, overwritten at the end. KeyUnsafe where file, token and public key do not belong together."""
        secret = self._wrap_key.unwrap(key.wrapped, key.associated)
        with wiped(secret):
            if len(secret) != _SECRET_BYTES or public_key_of(bytes(secret)) != key.public_key:
                raise KeyUnsafe(f"key {key.key_id}: the secret does not belong to public key {key.public_key.hex()}")
            yield secret

    def sign(self, key: SoftwareKey, digest: bytes, tweak: bytes | None = None) -> bytes:
        """BIP-340, 64 bytes, verified. With `tweak` (32 bytes, BIP-341) by the key tweaked as an internal key.

        Denied `sign.selfcheck` where the digest is not 32 bytes or the signature is not one of this key.
        """
        _require_digest(digest)
        with self.unlocked(key) as secret, wiped(bytearray(_tweaked(secret, key.public_key, tweak))) as signing:
            public_key = public_key_of(bytes(signing))
            signature = sign_schnorr(bytes(signing), digest, secrets.token_bytes(32))
        if not verify_schnorr(public_key[1:], digest, signature):
            raise Denied("sign.selfcheck", f"key {key.key_id}: its signature does not verify")
        return signature

    def sign_ecdsa(self, key: SoftwareKey, digest: bytes) -> bytes:
        """DER with low S, verified. Denied `sign.selfcheck`."""
        _require_digest(digest)
        with self.unlocked(key) as secret:
            signature = sign_ecdsa(bytes(secret), digest)
        if not verify_ecdsa(key.public_key, digest, signature):
            raise Denied("sign.selfcheck", f"key {key.key_id}: its signature does not verify")
        return signature

    def promise(self, key: SoftwareKey, asked: Sequence[Promise]) -> tuple[bytes, ...]:
        """An encrypted ECDSA signature for each, verified. Denied `sign.selfcheck`."""
        for each in asked:
            _require_digest(each.digest)
        with self.unlocked(key) as secret:
            made = tuple(encrypt(bytes(secret), digest, point) for digest, point in asked)
        for (digest, point), adaptor in zip(asked, made, strict=True):
            if not verify_encrypted(key.public_key, digest, point, adaptor):
                raise Denied("sign.selfcheck", f"key {key.key_id}: its encrypted signature does not verify")
        return made

    def _path(self, key_id: str) -> Path:
        if not key_id.isalnum():
            raise KeyUnsafe(f"key id {key_id!r} is not made of letters and digits")
        return self._folder / f"{key_id}{_SUFFIX}"


@contextmanager
def wiped(secret: bytearray) -> Iterator[bytearray]:
    try:
        yield secret
    finally:
        secret[:] = bytes(len(secret))


def _require_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_BYTES:
        raise Denied("sign.selfcheck", f"a digest of {len(digest)} bytes; only {DIGEST_BYTES} are signed")


def _tweaked(secret: bytearray, public_key: bytes, tweak: bytes | None) -> bytes:
    """BIP-341, taproot_tweak_seckey: the secret of the point with even y, plus the tweak."""
    if tweak is None:
        return bytes(secret)
    addend = int.from_bytes(tweak, "big")
    if len(tweak) != _SECRET_BYTES or addend >= ORDER:
        raise BitcoinMalformed("tweak: not 32 bytes of the curve")
    number = int.from_bytes(secret, "big")
    even = number if public_key[0] == 2 else ORDER - number
    return ((even + addend) % ORDER).to_bytes(_SECRET_BYTES, "big")


def _store(path: Path, content: bytes) -> None:
    """On the disk when it returns, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
