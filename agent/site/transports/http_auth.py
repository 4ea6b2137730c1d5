"""Basic and Digest authentication (RFC 7617, RFC 7616) as devices speak it: MD5 or SHA-256, qop=auth."""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable

import msgspec

from shared.errors import AuthFailed

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_DIGEST = re.compile(r"(?:^|,)\s*Digest\s+(.*)", re.IGNORECASE | re.DOTALL)
_ALGORITHMS = ("SHA-256", "MD5")  # the strongest first


class BasicAuth(msgspec.Struct, frozen=True):
    user: str
    password: str

    def __repr__(self) -> str:
        return f"BasicAuth({self.user!r}, •••)"

    def header(self) -> str:
        """Value of `Authorization`."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class DigestAuth(msgspec.Struct, frozen=True):
    user: str
    password: str

    def __repr__(self) -> str:
        return f"DigestAuth({self.user!r}, •••)"


class Challenge(msgspec.Struct, frozen=True):
    """What a server asks with `WWW-Authenticate: Digest`."""

    realm: str
    nonce: str
    algorithm: str
    opaque: str | None = None


class DigestSession:
    """Answers challenges and reuses a nonce, counting its uses, so that one 401 serves many requests."""

    def __init__(self, auth: DigestAuth) -> None:
        self._auth = auth
        self._challenge: Challenge | None = None
        self._ha1 = ""
        self._uses = 0

    def accept(self, headers: Iterable[str]) -> None:
        """Take the strongest challenge of a 401; `AuthFailed` when there is none that we speak."""
        known = [challenge for challenge in map(parse_challenge, headers) if challenge is not None]
        if not known:
            raise AuthFailed("the device offers no Digest challenge with MD5 or SHA-256 and qop=auth")
        self._challenge = min(known, key=lambda challenge: _ALGORITHMS.index(challenge.algorithm))
        self._uses = 0
        self._ha1 = self._hash(f"{self._auth.user}:{self._challenge.realm}:{self._auth.password}")

    def header(self, method: str, uri: str) -> str | None:
        """Value of `Authorization` for the next request; None before the first challenge."""
        challenge = self._challenge
        if challenge is None:
            return None
        self._uses += 1
        count, cnonce = f"{self._uses:08x}", secrets.token_hex(8)
        response = self._hash(
            f"{self._ha1}:{challenge.nonce}:{count}:{cnonce}:auth:" + self._hash(f"{method}:{uri}"),
        )
        opaque = "" if challenge.opaque is None else f', opaque="{_quoted(challenge.opaque)}"'
        return (
            f'Digest username="{_quoted(self._auth.user)}", realm="{_quoted(challenge.realm)}", '
            f'nonce="{_quoted(challenge.nonce)}", uri="{_quoted(uri)}", algorithm={challenge.algorithm}, '
            f'response="{response}", qop=auth, nc={count}, cnonce="{cnonce}"{opaque}'
        )

    def _hash(self, text: str) -> str:
        assert self._challenge is not None
        if self._challenge.algorithm == "MD5":
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return hashlib.sha256(text.encode()).hexdigest()


def parse_challenge(header: str) -> Challenge | None:
    """The Digest challenge of one `WWW-Authenticate` value; None for anything that we do not speak."""
    found = _DIGEST.search(header)
    if found is None or not header.isascii():
        return None
    values = {
        name.lower(): bare or re.sub(r"\\(.)", r"\1", quoted) for name, quoted, bare in _PARAMETER.findall(found[1])
    }
    algorithm = values.get("algorithm", "MD5").upper()
    offers_auth = "auth" in (word.strip() for word in values.get("qop", "").lower().split(","))
    if "realm" not in values or "nonce" not in values or algorithm not in _ALGORITHMS or not offers_auth:
        return None
    return Challenge(
        realm=values["realm"],
        nonce=values["nonce"],
        algorithm=algorithm,
        opaque=values.get("opaque"),
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
