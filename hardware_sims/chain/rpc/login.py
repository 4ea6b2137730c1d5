"""Who may call: a user and a password, or the cookie that a node writes anew at each start."""

import base64
import binascii
import hmac
import os
import secrets
from pathlib import Path

COOKIE_USER = "__cookie__"


class Login:
    """With `password` there is no cookie, as in Bitcoin Core."""

    def __init__(self, *, user: str = "", password: str | None = None, cookie_file: Path | None = None) -> None:
        self._cookie_file = cookie_file if password is None else None
        if password is None:
            user, password = COOKIE_USER, secrets.token_hex(32)
        self._expected = f"{user}:{password}".encode()

    def open(self) -> None:
        """Write the cookie, readable by its owner alone."""
        file = self._cookie_file
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.tmp")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(self._expected)
        fresh.replace(file)

    def close(self) -> None:
        if self._cookie_file is not None:
            self._cookie_file.unlink(missing_ok=True)

    def admits(self, authorization: str | None) -> bool:
        """Whether a request's Authorization header is ours."""
        scheme, _, value = (authorization or "").partition(" ")
        try:
            given = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, self._expected)
