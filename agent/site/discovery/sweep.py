"""A bounded walk through address ranges: many at once, at a limited rate, each address once."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Iterator

from shared.errors import SettingInvalid

MAX_ADDRESSES = 65_536
AT_ONCE = 64
CONNECT_S = 1.0


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(text: str) -> Network:
    """An address range of the site's file; SettingInvalid names it and the mend."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise SettingInvalid(f"range {text!r}: {error}; write it like 10.0.4.0/22") from error
    if found.num_addresses > MAX_ADDRESSES:
        raise SettingInvalid(f"range {text!r} has {found.num_addresses} addresses, at most {MAX_ADDRESSES}")
    return found


def addresses(networks: Iterable[Network]) -> Iterator[str]:
    """Every host address, in order, without repetition."""
    seen: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for one in networks:
        for address in one.hosts():
            if address not in seen:
                seen.add(address)
                yield str(address)


def contains(networks: Iterable[Network], address: str) -> bool:
    """Is it an address of these ranges? False for a text that is none."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(wanted in one for one in networks)


async def listens(address: str, port: int) -> bool:
    """Does anybody accept a connection there?"""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


async def walk(candidates: Iterable[str], visit: Callable[[str], Awaitable[None]], *, at_once: int = AT_ONCE) -> None:
    """Visit each candidate, `at_once` of them together."""
    waiting = iter(candidates)

    async def visitor() -> None:
        for address in waiting:
            await visit(address)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(visitor())
