"""Hierarchical keys (BIP-32): strict to read, derived with libsecp256k1's arithmetic."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import wallycore

from shared.bitcoin.hashes import hash160, sha256d
from shared.bitcoin.key_origin import FINGERPRINT_BYTES, HARDENED
from shared.bitcoin.network import Network
from shared.bitcoin.signature import ORDER, public_key_of
from shared.errors import BitcoinMalformed

MAX_DEPTH: Final = 255

_PAYLOAD_BYTES: Final = 78
_MAX_LETTERS: Final = 112  # base58 of the payload and four bytes of checksum
_NO_PARENT: Final = bytes(FINGERPRINT_BYTES)
_PREFIXES: Final = {  # is it of the main chain, is it private
    (True, False): bytes.fromhex("0488b21e"),
    (True, True): bytes.fromhex("0488ade4"),
    (False, False): bytes.fromhex("043587cf"),
    (False, True): bytes.fromhex("04358394"),
}
_KINDS: Final = {prefix: kind for kind, prefix in _PREFIXES.items()}


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """A public key of 33 bytes with its chain code, and its secret where this is a private key.

    All test chains share one form: `main` is whether it is for real money.
    """

    main: bool
    depth: int
    parent_fingerprint: bytes
    child_number: int
    chain_code: bytes
    public_key: bytes
    secret: bytes | None = field(default=None, repr=False)

    @staticmethod
    def parse(text: str) -> "ExtendedKey":
        """From xpub, xprv, tpub or tprv text; BitcoinMalformed says what is wrong but never repeats a secret."""
        payload = _decode(text)
        kind = _KINDS.get(payload[:4])
        if kind is None:
            raise BitcoinMalformed("extended key: it begins with none of xpub, xprv, tpub and tprv")
        main, private = kind
        depth, parent, number = payload[4], payload[5:9], int.from_bytes(payload[9:13], "big")
        if depth == 0 and (parent != _NO_PARENT or number):
            raise BitcoinMalformed("extended key: a master key with a parent or a number of its own")
        public_key, secret = _read_secret(payload[45:]) if private else (_checked(payload[45:]), None)
        return ExtendedKey(main, depth, parent, number, payload[13:45], public_key, secret)

    @staticmethod
    def from_seed(seed: bytes, network: Network) -> "ExtendedKey":
        """The master key of 16 to 64 random bytes."""
        if not 16 <= len(seed) <= 64:
            raise BitcoinMalformed(f"seed: {len(seed)} bytes, 16 to 64 are allowed")
        digest = hmac.digest(b"Bitcoin seed", seed, hashlib.sha512)
        public_key = public_key_of(digest[:32])
        return ExtendedKey(network is Network.MAIN, 0, _NO_PARENT, 0, digest[32:], public_key, digest[:32])

    @property
    def is_private(self) -> bool:
        return self.secret is not None

    @property
    def fingerprint(self) -> bytes:
        """The first 4 bytes of the public key's hash."""
        return hash160(self.public_key)[:FINGERPRINT_BYTES]

    def public(self) -> "ExtendedKey":
        """The same key without its secret."""
        return ExtendedKey(
            self.main, self.depth, self.parent_fingerprint, self.child_number, self.chain_code, self.public_key
        )

    def derive(self, path: Iterable[int]) -> "ExtendedKey":
        """Step by step; a hardened step (from 2^31) needs a private key."""
        key = self
        for step in path:
            key = key._child(step)
        return key

    def __str__(self) -> str:
        """The text form; of a private key it holds the secret."""
        payload = b"".join(
            (
                _PREFIXES[self.main, self.is_private],
                self.depth.to_bytes(1, "big"),
                self.parent_fingerprint,
                self.child_number.to_bytes(4, "big"),
                self.chain_code,
                self.public_key if self.secret is None else b"\x00" + self.secret,
            )
        )
        return str(wallycore.base58_from_bytes(payload + sha256d(payload)[:4], 0))

    def _child(self, number: int) -> "ExtendedKey":
        if not 0 <= number < 2 * HARDENED:
            raise BitcoinMalformed(f"key path: {number} is no step, they end below 2^32")
        if self.depth == MAX_DEPTH:
            raise BitcoinMalformed(f"key path: keys deeper than {MAX_DEPTH} steps do not exist")
        if number < HARDENED:
            source = self.public_key
        elif self.secret is not None:
            source = b"\x00" + self.secret
        else:
            raise BitcoinMalformed(f"key path: the hardened step {number - HARDENED}h needs the private key")
        digest = hmac.digest(self.chain_code, source + number.to_bytes(4, "big"), hashlib.sha512)
        public_key, secret = self._tweaked(digest[:32], number)
        return ExtendedKey(self.main, self.depth + 1, self.fingerprint, number, digest[32:], public_key, secret)

    def _tweaked(self, tweak: bytes, number: int) -> tuple[bytes, bytes | None]:
        try:
            if self.secret is None:
                return bytes(wallycore.ec_public_key_tweak(self.public_key, tweak)), None
            secret = bytes(wallycore.ec_scalar_add(self.secret, tweak))
            if int.from_bytes(tweak, "big") >= ORDER:
                raise ValueError("tweak above the order")
            return public_key_of(secret), secret
        except ValueError as error:  # one of 2^127 steps
            raise BitcoinMalformed(f"key path: the step {number} leads to no key, take the next") from error


def parse_path(text: str) -> tuple[int, ...]:
    """`m/48h/0'/0/5` or the same without `m/`; the steps, 2^31 added to hardened ones."""
    parts = text.split("/") if text else []
    return tuple(_step(part, text) for part in (parts[1:] if parts[:1] == ["m"] else parts))


def _step(part: str, text: str) -> int:
    digits = part[:-1] if part[-1:] in ("h", "'", "H") else part
    known = digits.isascii() and digits.isdecimal() and len(digits) <= 10 and str(int(digits)) == digits
    if not known or int(digits) >= HARDENED:
        raise BitcoinMalformed(f"key path {text[:80]!r}: {part[:20]!r} is no step, expected like 0, 5 or 48h")
    return int(digits) + (HARDENED if len(digits) < len(part) else 0)


def _decode(text: str) -> bytes:
    if len(text) > _MAX_LETTERS or not (text.isascii() and text.isalnum()):  # C reads up to a zero byte
        raise BitcoinMalformed("extended key: too long, or with letters that none has")
    try:
        raw = bytes(wallycore.base58_to_bytes(text, 0))
    except ValueError as error:
        raise BitcoinMalformed("extended key: not base58") from error
    payload, checksum = raw[:-4], raw[-4:]
    if len(payload) != _PAYLOAD_BYTES or sha256d(payload)[:4] != checksum:
        raise BitcoinMalformed("extended key: its length or its checksum is wrong")
    return payload


def _read_secret(raw: bytes) -> tuple[bytes, bytes]:
    if raw[0]:
        raise BitcoinMalformed("extended key: a private key must begin with a zero byte")
    return public_key_of(raw[1:]), raw[1:]


def _checked(public_key: bytes) -> bytes:
    try:
        wallycore.ec_public_key_verify(public_key)
    except ValueError as error:
        raise BitcoinMalformed("extended key: its public key is not a compressed point of the curve") from error
    return public_key
