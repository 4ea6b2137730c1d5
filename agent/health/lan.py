"""Who answers on the site's network, as the doctor sees it: a connection to each address, and nothing sent."""

import asyncio
import itertools
from collections.abc import Mapping

from agent.health.finding import Finding, Grade
from agent.site.discovery.sweep import MINER_PORTS, listens, walk
from shared.address_range import addresses, network
from shared.site import Site

CHECK = "miners"
MOST_ADDRESSES = 4_096
AT_ONCE = 256


def miners(site: Site, ports: Mapping[int, int]) -> Finding:
    """How many addresses of each range have a miner's port open, of the first `MOST_ADDRESSES` of each."""
    asked = [ports.get(port, port) for port in MINER_PORTS]
    counts = {text: asyncio.run(_answering(text, asked)) for text in site.ranges}
    said = ", ".join(f"{text}: {count} answer" for text, count in counts.items()) or "no ranges to look through"
    found = f"{said}; {len(site.placement)} miners in the site's file"
    silent = [text for text, count in counts.items() if not count]
    if silent:
        mend = f"check VLAN, route and firewall between this machine and {silent[0]}; its miners listen on 4028 or 80"
        return Finding(CHECK, Grade.WEAK, found, mend)
    if sum(counts.values()) < len(site.placement):
        return Finding(
            CHECK, Grade.WEAK, found, "switch on or find those that are missing; add the range they moved to"
        )
    return Finding(CHECK, Grade.GOOD, found)


async def _answering(text: str, ports: list[int]) -> int:
    found: set[str] = set()

    async def visit(address: str) -> None:
        for port in ports:
            if await listens(address, port):
                found.add(address)
                return

    await walk(itertools.islice(addresses([network(text)]), MOST_ADDRESSES), visit, at_once=AT_ONCE)
    return len(found)
