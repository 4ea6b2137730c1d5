"""Ed25519 keys in files that only their owner can read."""

import hashlib
import os
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey, VerifyKey

from shared.errors import SettingInvalid

_SEED_BYTES: Final = 32
_OWNER_ONLY: Final = 0o600


def load_or_create(path: Path) -> SigningKey:
    """The key in `path` (32 bytes in hex); made there, readable by the owner only, where the file does not exist."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return _create(path)
    except UnicodeDecodeError as error:
        raise SettingInvalid(f"{path}: not a key file; it must hold 64 hex digits") from error
    if path.stat().st_mode & 0o077:
        raise SettingInvalid(f"{path}: others can read this key; run 'chmod 600 {path}'")
    try:
        return SigningKey(bytes.fromhex(text))
    except ValueError as error:
        raise SettingInvalid(f"{path}: not a key file; it must hold 64 hex digits") from error


def _create(path: Path) -> SigningKey:
    key = SigningKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.encode().hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    return key


def key_id(key: VerifyKey) -> str:
    """Sixteen hex digits that name a public key in envelopes and logs."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def parse_public(text: str) -> VerifyKey:
    """A public key from 64 hex digits."""
    try:
        raw = bytes.fromhex(text)
        if len(raw) != _SEED_BYTES:
            raise ValueError
        return VerifyKey(raw)
    except ValueError as error:
        raise SettingInvalid(f"public key {text[:12]!r}… must be 64 hex digits") from error
