"""A process of its own around pyasic: addresses in, one JSON line out for each. Never imported by the agent.

pyasic reads without a size limit, can wait for minutes and sets up the whole interpreter on import (77 MB); here that
costs one process with a memory limit, which the agent kills and starts again at will. Only identification is called:
nothing in this file can write to a device.
"""

import asyncio
import importlib
import json
import resource
import sys
from typing import Any

MEMORY_BYTES = 1 << 30
IDENTIFY_S = 15.0


async def identified(address: str) -> dict[str, Any]:
    """What pyasic makes of an address; `make` is None where it knows nothing."""
    factory: Any = importlib.import_module("pyasic.miners.factory").miner_factory  # after the memory limit is set
    try:
        async with asyncio.timeout(IDENTIFY_S):
            miner = await factory.get_miner(address)
    except Exception as error:
        return {"address": address, "make": None, "error": f"{type(error).__name__}: {error}"}
    if miner is None:
        return {"address": address, "make": None}
    return {
        "address": address,
        "make": str(miner.make or ""),
        "model": str(miner.model or ""),
        "firmware": str(miner.firmware or ""),
    }


async def serve() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        answer = await identified(line.decode("ascii").strip())
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    asyncio.run(serve())
