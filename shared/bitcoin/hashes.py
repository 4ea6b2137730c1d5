"""The hashes of Bitcoin's protocols."""

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import wallycore

if TYPE_CHECKING:
    from hashlib import _Hash


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice: ids, checksums, BIP-143."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256, 20 bytes; wallycore's, because not every OpenSSL still has RIPEMD-160."""
    return bytes(wallycore.hash160(data))


def tagged_hash(tag: str, data: bytes) -> bytes:
    """BIP-340: SHA-256 of the tag's hash twice, then the data."""
    hasher = _tagged(tag).copy()
    hasher.update(data)
    return hasher.digest()


@lru_cache(maxsize=64)
def _tagged(tag: str) -> "_Hash":
    name = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(name + name)
