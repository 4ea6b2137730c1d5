"""Pool addresses, which devices show with and without their scheme."""

import re

from shared.errors import Rejected

DEFAULT_PORT = 3333
_POOL = re.compile(r"(?:(?P<scheme>[a-z0-9+]+)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(?::(?P<port>\d{1,5}))?/?")


def bare(url: str) -> str:
    """Host and port alone, for comparing."""
    return url.partition("://")[2].rstrip("/").lower() if "://" in url else url.rstrip("/").lower()


def host_and_port(url: str) -> tuple[str, int]:
    """What devices want that store both apart; `Rejected` where the text is no pool address."""
    found = _POOL.fullmatch(url)
    if found is None:
        raise Rejected(f"{url!r} is no pool address; write it like stratum+tcp://pool.example:3333")
    return found["host"], int(found["port"] or DEFAULT_PORT)
