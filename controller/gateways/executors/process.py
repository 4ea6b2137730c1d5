"""The process in which executions are judged: batches on standard input, verdicts on standard output.

The first answer is READY. A frame is four bytes of length, little endian, and that many bytes of MessagePack.
"""

import os
from io import BufferedReader, BufferedWriter

import msgspec

from controller.gateways.executors.pool import LENGTH_BYTES, READY
from controller.signing.execution.model import Batch
from controller.signing.execution.worker import Worker


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not look like a verdict
    with os.fdopen(0, "rb") as questions, answers:
        serve(questions, answers)


def serve(questions: BufferedReader, answers: BufferedWriter) -> None:
    """Until the other side closes."""
    worker = Worker()
    _write(answers, READY)
    decoder = msgspec.msgpack.Decoder(Batch)
    while frame := _read(questions):
        _write(answers, msgspec.msgpack.encode(worker.judge(decoder.decode(frame))))


def _read(questions: BufferedReader) -> bytes:
    length = questions.read(LENGTH_BYTES)
    return questions.read(int.from_bytes(length, "little")) if len(length) == LENGTH_BYTES else b""


def _write(answers: BufferedWriter, answer: bytes) -> None:
    answers.write(len(answer).to_bytes(LENGTH_BYTES, "little") + answer)
    answers.flush()


if __name__ == "__main__":
    main()
