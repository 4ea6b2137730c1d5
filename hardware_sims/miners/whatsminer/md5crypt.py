"""The md5-crypt scheme (`$1$`), as `openssl passwd -1 -salt` computes it; Whatsminer derives its keys from it."""

from hashlib import md5

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MAGIC = b"$1$"
SALT_BYTES = 8
ROUNDS = 1000
# The order in which the digest's bytes are packed into 24-bit groups of four characters each.
_GROUPS = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_LAST_BYTE = 11


def md5crypt(password: str, salt: str) -> str:
    """The 22 characters after the last `$` of `$1$salt$…`; of a longer salt only the first eight bytes count."""
    secret, grain = password.encode(), salt.encode()[:SALT_BYTES]
    digest = _first_digest(secret, grain)
    for turn in range(ROUNDS):
        digest = md5(_turn(turn, digest, secret, grain)).digest()
    return _characters(digest)


def _first_digest(secret: bytes, grain: bytes) -> bytes:
    length = len(secret)
    inner = md5(secret + grain + secret).digest()
    text = bytearray(secret + MAGIC + grain)
    text += (inner * (length // len(inner) + 1))[:length]
    bits = length
    while bits:
        text += b"\0" if bits & 1 else secret[:1]
        bits >>= 1
    return md5(text).digest()


def _turn(turn: int, digest: bytes, secret: bytes, grain: bytes) -> bytes:
    odd = turn % 2 == 1
    text = secret if odd else digest
    if turn % 3:
        text += grain
    if turn % 7:
        text += secret
    return text + (digest if odd else secret)


def _characters(digest: bytes) -> str:
    groups = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _GROUPS]
    groups.append((digest[_LAST_BYTE], 2))
    return "".join(ALPHABET[value >> 6 * place & 63] for value, places in groups for place in range(places))
