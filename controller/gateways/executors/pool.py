"""A worker process behind two pipes. The consensus engine may end it; then its batch is refused and it is replaced."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

import msgspec

from controller.signing.execution.model import Batch, Refused, Verdict
from controller.signing.refusal import SigningRefusal
from shared.log import get_logger

LENGTH_BYTES: Final = 4
READY: Final = b"ready"
ANSWER_S: Final = 30.0
_MOST_BYTES: Final = 1 << 26
_PROCESS: Final = (sys.executable, "-m", "controller.gateways.executors.process")
_VERDICTS: Final = msgspec.msgpack.Decoder(tuple[Verdict, ...])
_log = get_logger("signing.executor")


class ExecutorProcess:
    """Runs from the first batch until it may `rest`, or from the beginning to the end of an async context.

    Asked by one task at a time. It is told of a contract once for each version of its brief.
    """

    def __init__(self, process: Sequence[str] = _PROCESS, *, answer_s: float = ANSWER_S) -> None:
        self._command = tuple(process)
        self._answer_s = answer_s
        self._process: asyncio.subprocess.Process | None = None
        self._briefed: dict[str, tuple[int, int]] = {}

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.rest()

    async def judge(self, batch: Batch) -> tuple[Verdict, ...]:
        """Verdicts in order. A process that dies, hangs or talks nonsense has refused all of them."""
        news = tuple(one for one in batch.briefs if self._briefed.get(one.contract.contract_id) != one.version)
        try:
            if self._process is None:
                news = batch.briefs
                await self._start()
            async with asyncio.timeout(self._answer_s):
                answer = await self._ask(msgspec.msgpack.encode(msgspec.structs.replace(batch, briefs=news)))
            verdicts = _VERDICTS.decode(answer)
            if len(verdicts) != len(batch.executions):
                raise EOFError(f"it answered {len(verdicts)} of {len(batch.executions)}")
        except (OSError, EOFError, TimeoutError, msgspec.MsgspecError) as error:
            _log.error("executor_gone", detail=str(error), batch=len(batch.executions))
            await self.rest()
            detail = f"the judging process gave no verdict: {error}; try again"
            return (Verdict(refused=Refused(SigningRefusal.JUDGE, detail)),) * len(batch.executions)
        self._briefed |= {one.contract.contract_id: one.version for one in news}
        return verdicts

    async def rest(self) -> None:
        """End the process, if there is one; the next batch starts another."""
        process, self._process = self._process, None
        self._briefed.clear()
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            with suppress(ProcessLookupError):  # it ended by itself in between
                process.kill()
        await process.wait()

    async def _ask(self, question: bytes) -> bytes:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(len(question).to_bytes(LENGTH_BYTES, "little") + question)
        await self._process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        length = int.from_bytes(await self._process.stdout.readexactly(LENGTH_BYTES), "little")
        if length > _MOST_BYTES:
            raise EOFError(f"it announced {length} bytes")
        return await self._process.stdout.readexactly(length)

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(self._answer_s):
            ready = await self._answer()
        if ready != READY:
            raise EOFError("the judging process did not become ready")
