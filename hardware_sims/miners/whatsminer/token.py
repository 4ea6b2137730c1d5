"""The write handshake of Whatsminer API v2: salts, token, sign and AES key, as the device keeps them.

A client asks for salts, derives a key from the admin password and a sign from that key, encrypts its order with the key
and puts the sign inside. The device derives the same and compares.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hardware_sims.miners.whatsminer.md5crypt import ALPHABET, SALT_BYTES, md5crypt

TOKEN_LIFE_S = 30 * 60
TOKENS_PER_CLIENT = 32
BLOCK_BYTES = 16
TIME_DIGITS = 10_000  # a token carries the last four digits of the device's clock


@dataclass(frozen=True)
class Secret:
    """What password and salt yield: the key that signs, and the cipher made from it."""

    password: str
    salt: str

    @cached_property
    def key(self) -> str:
        return md5crypt(self.password, self.salt)

    @cached_property
    def _cipher(self) -> "Cipher[modes.ECB]":
        return Cipher(algorithms.AES(sha256(self.key.encode()).digest()), modes.ECB())  # noqa: S305 - the vendor's

    def encrypt(self, plain: bytes) -> bytes:
        """NUL-padded to whole blocks."""
        encryptor = self._cipher.encryptor()
        return encryptor.update(plain + b"\0" * (-len(plain) % BLOCK_BYTES)) + encryptor.finalize()

    def decrypt(self, data: bytes) -> bytes:
        """Without the NUL padding; garbage for a key that is not ours; ValueError for a broken length."""
        decryptor = self._cipher.decryptor()
        return (decryptor.update(data) + decryptor.finalize()).rstrip(b"\0")


@dataclass
class Token:
    """One handshake handed out: valid with exactly one sign, from one address, for half an hour."""

    time: str
    newsalt: str
    issued_s: float
    secret: Secret

    @cached_property
    def sign(self) -> str:
        return md5crypt(self.secret.key + self.time, self.newsalt)


@dataclass
class TokenBook:
    """The tokens of one device, by client address. `now_s` is the device's clock, `uptime_s` since its boot."""

    now_s: Callable[[], float]
    uptime_s: Callable[[], float]
    random: random.Random
    _tokens: dict[str, list[Token]] = field(default_factory=dict)
    _secret: Secret | None = None

    def __post_init__(self) -> None:
        self.salt = self._new_salt()

    def issue(self, client: str, password: str) -> Token | None:
        """A new token, or None when this address already holds 32 that still live."""
        held = self._tokens[client] = [token for token in self._tokens.get(client, ()) if self._lives(token)]
        if len(held) >= TOKENS_PER_CLIENT:
            return None
        now_s = self.now_s()
        token = Token(f"{int(now_s) % TIME_DIGITS:04d}", self._new_salt(), now_s, self.secret(password))
        held.append(token)
        return token

    def secret(self, password: str) -> Secret:
        """The cipher of the present password; derived once and kept, because md5-crypt costs a millisecond."""
        if self._secret is None or self._secret.password != password:
            self._secret = Secret(password, self.salt)
        return self._secret

    def accepts(self, client: str, sign: str, password: str) -> bool:
        """Whether `sign` belongs to a token that this address was given and that still lives."""
        return any(
            self._lives(token) and token.secret.password == password and token.sign == sign
            for token in reversed(self._tokens.get(client, ()))
        )

    def _lives(self, token: Token) -> bool:
        age_s = self.now_s() - token.issued_s
        return 0 <= age_s < TOKEN_LIFE_S and age_s <= self.uptime_s()  # tokens are in memory: a boot forgets them

    def _new_salt(self) -> str:
        return "".join(self.random.choices(ALPHABET[2:], k=SALT_BYTES))
