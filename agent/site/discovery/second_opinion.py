"""Asks pyasic, in its own process, what an address is that no driver of ours knows."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from shared.log import get_logger

ANSWER_S = 20.0
_LINE_BYTES = 65_536
_WORKER = (sys.executable, "-m", "agent.site.discovery.pyasic_worker")

log = get_logger("agent.second-opinion")


class Opinion(msgspec.Struct, frozen=True):
    """`make` is None where pyasic does not know the device either."""

    address: str
    make: str | None = None
    model: str = ""
    firmware: str = ""
    error: str = ""


class SecondOpinion:
    """Starts the worker on the first question and kills it when it hangs, talks nonsense or is no longer needed."""

    def __init__(self, worker: Sequence[str] = _WORKER, *, answer_s: float = ANSWER_S) -> None:
        self._worker = worker
        self._answer_s = answer_s
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    async def ask(self, address: str) -> Opinion:
        async with self._lock:
            try:
                async with asyncio.timeout(self._answer_s):
                    return await self._ask(address)
            except (TimeoutError, OSError, ValueError, EOFError) as error:
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
        opinion = msgspec.json.decode(line, type=Opinion)
        if opinion.address != address:
            raise ValueError(f"the worker answered about {opinion.address}")
        return opinion

    async def _start(self) -> asyncio.subprocess.Process:
        """Without our own settings, whose passwords are none of its business."""
        return await asyncio.create_subprocess_exec(
            *self._worker,
            env={name: value for name, value in os.environ.items() if not name.startswith("BES_")},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
