"""A worker process behind two pipes. The consensus engine may end it; then its batch is refused and it is replaced."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Final, Self

import msgspec

from controller.signing.execution.model import Batch, Brief, Refused, Verdict
from controller.signing.refusal import SigningRefusal
from shared.log import get_logger

LENGTH_BYTES: Final = 4
ANSWER_S: Final = 30.0
_MOST_BYTES: Final = 1 << 26
_PROCESS: Final = (sys.executable, "-m", "controller.gateways.executors.process")
_VERDICTS: Final = msgspec.msgpack.Decoder(tuple[Verdict, ...])
_log = get_logger("signing.executor")


class ExecutorProcess:
    """Use as an async context manager. Asked by one task at a time."""

    def __init__(self, brief: Brief, process: Sequence[str] = _PROCESS, *, answer_s: float = ANSWER_S) -> None:
        self._brief = msgspec.msgpack.encode(brief)
        self._command = tuple(process)
        self._answer_s = answer_s
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stop()

    async def judge(self, batch: Batch) -> tuple[Verdict, ...]:
        """Verdicts in order. A process that dies, hangs or talks nonsense has refused all of them."""
        if self._process is None:
            await self._start()
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await self._ask(msgspec.msgpack.encode(batch))
            verdicts = _VERDICTS.decode(answer)
            if len(verdicts) != len(batch.executions):
                raise EOFError(f"it answered {len(verdicts)} of {len(batch.executions)}")
        except (OSError, EOFError, TimeoutError, msgspec.MsgspecError) as error:
            _log.error("executor_gone", detail=str(error), batch=len(batch.executions))
            await self._stop()
            detail = f"the judging process gave no verdict: {error}; try again"
            return (Verdict(refused=Refused(SigningRefusal.JUDGE, detail)),) * len(batch.executions)
        return verdicts

    async def _ask(self, question: bytes) -> bytes:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(len(question).to_bytes(LENGTH_BYTES, "little") + question)
        await self._process.stdin.drain()
        length = int.from_bytes(await self._process.stdout.readexactly(LENGTH_BYTES), "little")
        if length > _MOST_BYTES:
            raise EOFError(f"it announced {length} bytes")
        return await self._process.stdout.readexactly(length)

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(self._answer_s):
            ready = await self._ask(self._brief)
        if ready != b"ready":
            raise EOFError("the judging process did not become ready")

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
