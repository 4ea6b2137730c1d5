"""How the node knows us: its cookie file, which it writes anew at each start, or a user with a password."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shared.errors import GatewayUnavailable


class Login(Protocol):
    def header(self) -> str:
        """The Authorization header as it is now; GatewayUnavailable where it cannot be told yet."""
        ...


@dataclass(frozen=True)
class PasswordLogin:
    user: str
    password: str = field(repr=False)

    def header(self) -> str:
        return _basic(f"{self.user}:{self.password}".encode())


@dataclass(frozen=True)
class CookieLogin:
    """Read at every call, so that a node may restart."""

    file: Path

    def header(self) -> str:
        try:
            return _basic(self.file.read_bytes().strip())
        except OSError as error:
            mend = "start the node, or let this program read its cookie"
            raise GatewayUnavailable(f"{self.file}: {error.strerror or error}; {mend}") from error


def _basic(pair: bytes) -> str:
    return f"Basic {base64.b64encode(pair).decode()}"
