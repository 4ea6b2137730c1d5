"""A bounded walk through address ranges: many at once, at a limited rate, each address once."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Iterator

from shared.errors import SettingInvalid

MAX_ADDRESSES = 65_536
AT_ONCE = 64
CONNECT_S = 1.0


def addresses(ranges: Iterable[str]) -> Iterator[str]:
    """Every host address of the ranges, in order, without repetition; errors name the range."""
    seen: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for text in ranges:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise SettingInvalid(f"range {text!r}: {error}; write it like 10.0.4.0/22") from error
        if network.num_addresses > MAX_ADDRESSES:
            raise SettingInvalid(f"range {text!r} has {network.num_addresses} addresses, at most {MAX_ADDRESSES}")
        for address in network.hosts():
            if address not in seen:
                seen.add(address)
                yield str(address)


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
