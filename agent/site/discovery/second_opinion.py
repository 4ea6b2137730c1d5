"""Asks pyasic, in its own process, what an address is that no driver of ours knows."""

import asyncio
import json
import sys
from contextlib import suppress

import msgspec

from shared.log import get_logger

ANSWER_S = 20.0
_LINE_BYTES = 65_536

log = get_logger("agent.second-opinion")


class Opinion(msgspec.Struct, frozen=True):
    """`make` is None where pyasic does not know the device either."""

    address: str
    make: str | None = None
    model: str = ""
    firmware: str = ""
    error: str = ""


class SecondOpinion:
    """Starts the worker on the first question and kills it when it hangs, grows or is no longer needed."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    async def ask(self, address: str) -> Opinion:
        async with self._lock:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await self._ask(address)
            except (TimeoutError, OSError, msgspec.MsgspecError, EOFError) as error:
                log.warning("second-opinion.lost", address=address, detail=f"{type(error).__name__}: {error}")
                await self.aclose()
                return Opinion(address, error="no answer")

    async def aclose(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, address: str) -> Opinion:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(address.encode("ascii") + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise EOFError("the worker ended")
        return msgspec.convert(json.loads(line), Opinion)

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "agent.site.discovery.pyasic_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
