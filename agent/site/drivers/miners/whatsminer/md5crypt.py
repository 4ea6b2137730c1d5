"""MD5-crypt (`$1$`), the same as `openssl passwd -1`: the vendor's tokens are made of it; Python lost its own."""

import hashlib

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_ROUNDS = 1000
_SALT_BYTES = 8


def md5_crypt(password: str, salt: str) -> str:
    """The last `$`-field of `$1$salt$hash`: 22 characters."""
    secret, grain = password.encode(), salt.encode()[:_SALT_BYTES]
    alternate = _md5(secret + grain + secret)
    start = secret + b"$1$" + grain
    start += (alternate * (len(secret) // 16 + 1))[: len(secret)]
    length = len(secret)
    while length:
        start += b"\0" if length & 1 else secret[:1]
        length >>= 1
    digest = _md5(start)
    for turn in range(_ROUNDS):
        digest = _md5(
            (secret if turn & 1 else digest)
            + (grain if turn % 3 else b"")
            + (secret if turn % 7 else b"")
            + (digest if turn & 1 else secret)
        )
    return _encoded(digest)


def _encoded(digest: bytes) -> str:
    parts = [_letters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _ORDER]
    return "".join(parts) + _letters(digest[11], 2)


def _letters(value: int, count: int) -> str:
    return "".join(_ALPHABET[value >> 6 * place & 0x3F] for place in range(count))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
