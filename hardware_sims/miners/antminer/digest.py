"""HTTP Digest access (RFC 7616 with MD5 and qop=auth) as the web server of an Antminer demands it.

A correct answer to a nonce that is unknown, too old or whose count was used before gets `stale=true`, so that the
client may try again without asking anybody for a password.
"""

import random
import re
from collections.abc import Callable, Mapping
from hashlib import md5

from hardware_sims.http import HttpRequest, HttpResponse

REALM = "antMiner Configuration"
USER = "root"
NONCE_LIFE_S = 600
MAX_NONCES = 64  # the oldest goes when a new one is handed out
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))')
_COUNT = re.compile(r"[0-9a-fA-F]{8}")


class _Nonce:
    __slots__ = ("count", "issued_s")

    def __init__(self, issued_s: float) -> None:
        self.issued_s = issued_s
        self.count = 0


class DigestGate:
    """`now_s` is the device's clock, `uptime_s` since its boot: nonces are kept in memory and do not survive one."""

    def __init__(
        self,
        password: Callable[[], str],
        now_s: Callable[[], float],
        uptime_s: Callable[[], float],
        source: random.Random,
    ) -> None:
        self._password = password
        self._now_s = now_s
        self._uptime_s = uptime_s
        self._random = source
        self._nonces: dict[str, _Nonce] = {}

    def challenge(self, request: HttpRequest) -> HttpResponse | None:
        """None where the request may pass, else the 401 that says why not."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "digest":
            return self._unauthorized(stale=False)
        given = {key: quoted or bare for key, quoted, bare in _PAIR.findall(rest)}
        if not self._knows_password(request, given):
            return self._unauthorized(stale=False)
        return None if self._fresh(given["nonce"], given["nc"]) else self._unauthorized(stale=True)

    def _knows_password(self, request: HttpRequest, given: Mapping[str, str]) -> bool:
        if given.get("username") != USER or given.get("realm") != REALM or given.get("uri") != request.target:
            return False
        if given.get("qop") != "auth" or not _COUNT.fullmatch(given.get("nc", "")):
            return False
        who = _hex(f"{USER}:{REALM}:{self._password()}")
        what = _hex(f"{request.method}:{request.target}")
        nonce, cnonce = given.get("nonce", ""), given.get("cnonce", "")
        return given.get("response") == _hex(f"{who}:{nonce}:{given['nc']}:{cnonce}:auth:{what}")

    def _fresh(self, name: str, count: str) -> bool:
        """Whether this nonce lives and its count goes up; remembers the count."""
        nonce = self._nonces.get(name)
        if nonce is None:
            return False
        age_s = self._now_s() - nonce.issued_s
        if not (0 <= age_s < NONCE_LIFE_S and age_s <= self._uptime_s()):
            del self._nonces[name]
            return False
        if int(count, 16) <= nonce.count:
            return False
        nonce.count = int(count, 16)
        return True

    def _unauthorized(self, *, stale: bool) -> HttpResponse:
        name = f"{self._random.getrandbits(128):032x}"
        self._nonces[name] = _Nonce(self._now_s())
        if len(self._nonces) > MAX_NONCES:
            del self._nonces[next(iter(self._nonces))]
        offer = f'Digest realm="{REALM}", nonce="{name}", qop="auth"' + (", stale=true" if stale else "")
        return HttpResponse(401, b"401 - Unauthorized", {"www-authenticate": offer, "content-type": "text/html"})


def _hex(text: str) -> str:
    return md5(text.encode()).hexdigest()
