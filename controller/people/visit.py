"""What an HTTP request or a WebSocket says about who sent it: cookie, bearer token, origin. Works on ASGI scopes."""

from collections.abc import Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from shared.errors import OriginRefused

COOKIE = "bes_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_COOKIE_BYTES = 8192

Scope = MutableMapping[str, Any]


def header(scope: Scope, name: str) -> str:
    """The first header of that name, or an empty string."""
    wanted = name.encode()
    headers: Iterable[tuple[bytes, bytes]] = scope.get("headers", ())
    for key, value in headers:
        if key == wanted:
            return value.decode("latin-1")
    return ""


def session_token(scope: Scope) -> str:
    raw = header(scope, "cookie")
    if not raw or len(raw) > MAX_COOKIE_BYTES:
        return ""
    try:
        morsel = SimpleCookie(raw).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def bearer_token(scope: Scope) -> str:
    kind, _, token = header(scope, "authorization").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def check_origin(scope: Scope) -> None:
    """A browser names the page's origin on every socket and every unsafe request; it must be ours.

    The cookie is SameSite=Strict as well; this check also covers sockets, which browsers open across sites.
    """
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return
    origin, host = header(scope, "origin"), header(scope, "host")
    if not origin or urlsplit(origin).netloc.lower() != host.lower():
        raise OriginRefused(f"origin {origin or 'not given'!r} is not this console; open it at its own address")


def set_cookie(token: str, *, max_age_s: int, secure: bool) -> str:
    """The Set-Cookie header that carries a session; an empty token ends it."""
    parts = [f"{COOKIE}={token}", "Path=/", "HttpOnly", "SameSite=Strict", f"Max-Age={max_age_s}"]
    return "; ".join([*parts, "Secure"] if secure else parts)
