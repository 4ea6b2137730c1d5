"""A bounded walk through addresses: many at once, at a limited rate, each address once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

MINER_PORTS = (4028, 80)
AT_ONCE = 64
CONNECT_S = 1.0


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
