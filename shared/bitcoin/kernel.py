"""The judge: Bitcoin Core's own consensus code, in a child process that may die without taking anybody along."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

import msgspec

from shared.bitcoin.consensus import failed_input, verify_input
from shared.bitcoin.judge_process import LENGTH_BYTES, Case, Finding
from shared.bitcoin.transaction import TxOut

__all__ = ["Judge", "Verdict", "failed_input", "verify_input"]

ANSWER_S: Final = 20.0
_MAX_ANSWER_BYTES: Final = 1 << 24
_PIPE_BYTES: Final = 1 << 16
_ROOT: Final = str(Path(__file__).parents[2])  # the same code as ours, wherever we were started
_PROCESS: Final = (sys.executable, "-P", "-m", "shared.bitcoin.judge_process")
_FINDINGS: Final = msgspec.msgpack.Decoder(tuple[Finding, ...])


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failed_input` is None where all is well, and where nothing could be found out; then `reason` says why."""

    ok: bool
    failed_input: int | None = None
    reason: str = ""


class Judge:
    """Starts its process on the first question. One that dies, hangs or talks nonsense has refused; the next question
    gets a fresh one. Safe to ask from several threads, who wait for each other.
    """

    def __init__(self, process: Sequence[str] = _PROCESS, *, answer_s: float = ANSWER_S) -> None:
        self._command = tuple(process)
        self._answer_s = answer_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def accepts(self, raw: bytes, spent: Sequence[TxOut]) -> Verdict:
        """Whether every input of the complete transaction `raw` spends its output rightly.

        `spent` holds the output of each input in order. Bytes that are no transaction are refused, not raised.
        """
        return self.accepts_all([(raw, spent)])[0]

    def accepts_all(self, cases: Sequence[tuple[bytes, Sequence[TxOut]]]) -> list[Verdict]:
        """Many at once, verdicts in the same order; where the process dies of one, each is asked again alone."""
        if not cases:
            return []
        packed = [Case(raw, tuple((output.amount_sat, output.script) for output in spent)) for raw, spent in cases]
        with self._lock:
            return self._judge(packed)

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _judge(self, cases: list[Case]) -> list[Verdict]:
        try:
            findings = self._ask(cases)
        except (OSError, EOFError, TimeoutError, msgspec.MsgspecError) as error:
            self._stop()
            if len(cases) > 1:
                return [self._judge([case])[0] for case in cases]
            return [Verdict(ok=False, reason=f"the judge gave no verdict: {error}")]
        return [Verdict(not finding.reason, finding.failed_input, finding.reason) for finding in findings]

    def _ask(self, cases: list[Case]) -> tuple[Finding, ...]:
        process = self._process
        if process is None or process.poll() is not None:
            self._stop()
            process = self._process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        until = time.monotonic() + self._answer_s
        question = msgspec.msgpack.encode(cases)
        _write(process.stdin.fileno(), len(question).to_bytes(LENGTH_BYTES, "little") + question, until)
        length = int.from_bytes(_read(process.stdout.fileno(), LENGTH_BYTES, until), "little")
        if length > _MAX_ANSWER_BYTES:
            raise EOFError(f"it announced {length} bytes")
        findings = _FINDINGS.decode(_read(process.stdout.fileno(), length, until))
        if len(findings) != len(cases):
            raise EOFError(f"it answered {len(findings)} of {len(cases)} cases")
        return findings

    def _start(self) -> subprocess.Popen[bytes]:
        """Without our own settings, whose passwords are none of its business, and out of reach of our terminal's ^C."""
        settings = {name: value for name, value in os.environ.items() if not name.startswith("BES_")}
        process = subprocess.Popen(  # noqa: S603  our own program
            self._command,
            env=settings | {"PYTHONPATH": _ROOT},
            process_group=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes the pipes and collects the exit
            process.kill()


def _write(descriptor: int, data: bytes, until: float) -> None:
    view = memoryview(data)
    while view:
        _wait(descriptor, select.POLLOUT, until)
        view = view[os.write(descriptor, view[:_PIPE_BYTES]) :]


def _read(descriptor: int, count: int, until: float) -> bytes:
    found = bytearray()
    while len(found) < count:
        _wait(descriptor, select.POLLIN, until)
        part = os.read(descriptor, count - len(found))
        if not part:
            raise EOFError("it ended")
        found += part
    return bytes(found)


def _wait(descriptor: int, event: int, until: float) -> None:
    poll = select.poll()  # select() refuses descriptors above 1,023
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise TimeoutError("it kept silent for too long")
