"""Passwords and tokens: made, kept as hashes, compared in constant time."""

import asyncio
import hashlib
import secrets

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import Malformed

TOKEN_BYTES = 32
MIN_PASSWORD_CHARS = 12
MAX_PASSWORD_CHARS = 200
ONE_TIME_BYTES = 12
PROGRAM_MARK = "bes_"


class Passwords:
    """argon2id off the event loop. The defaults are RFC 9106's second choice (64 MiB); tests pass cheaper ones."""

    def __init__(self, *, time_cost: int = 3, memory_kib: int = 65_536, parallelism: int = 2) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism, type=Type.ID
        )
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._turn = asyncio.Semaphore(2)  # 64 MiB each: a crowd at the door must not take the machine's memory

    async def hash(self, password: str) -> str:
        check_strength(password)
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """An unknown user costs the same time as a wrong password."""
        async with self._turn:
            matches = await asyncio.to_thread(self._matches, stored or self._nobody, password[:MAX_PASSWORD_CHARS])
        return matches and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def check_strength(password: str) -> None:
    """Length is what counts; raises Malformed with the mend."""
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise Malformed(f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters; take a few words")


def new_token(prefix: str = "") -> tuple[str, str]:
    """A token of 256 random bits for its bearer, and the id to keep."""
    token = prefix + secrets.token_urlsafe(TOKEN_BYTES)
    return token, token_id(token)


def token_id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def one_time_password() -> str:
    return secrets.token_urlsafe(ONE_TIME_BYTES)
