"""Where a pool listens, and whether a site allows it: judged alike by the controller and by the site itself."""

import re
from collections.abc import Iterable

import msgspec

_ADDRESS = re.compile(
    r"(?P<scheme>stratum2?(?:\+(?:tcp|ssl|tls))?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?(?:/\S*)?"
)
_MAX_PORT = 65_535


class PoolAddress(msgspec.Struct, frozen=True):
    """`port` is None where an entry of `allowed_pools` leaves it open."""

    scheme: str
    host: str
    port: int | None


def pool_address(url: str) -> PoolAddress | None:
    """`stratum+tcp://pool.example:3333` taken apart; None where it is nothing of the kind."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return None
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 1 <= port <= _MAX_PORT:
        return None
    return PoolAddress(found["scheme"], found["host"].lower().rstrip("."), port)


def pool_allowed(url: str, allowed: Iterable[str]) -> bool:
    """Is it the same scheme, the same host and, where the entry names one, the same port as an entry of the list? An
    empty list allows every pool. What cannot be taken apart is on no list.
    """
    entries = tuple(allowed)
    if not entries:
        return True
    asked = pool_address(url)
    return asked is not None and any(_covers(entry, asked) for entry in map(pool_address, entries))


def _covers(entry: PoolAddress | None, asked: PoolAddress) -> bool:
    if entry is None or (entry.scheme, entry.host) != (asked.scheme, asked.host):
        return False
    return entry.port is None or entry.port == asked.port
