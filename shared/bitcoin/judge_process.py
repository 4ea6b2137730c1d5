"""The process in which consensus code runs: cases on standard input, findings on standard output, in frames.

A frame is four bytes of length, little endian, and that many bytes of MessagePack.
"""

import os
from io import BufferedReader, BufferedWriter
from typing import Final

import msgspec

from shared.bitcoin.consensus import failed_input
from shared.bitcoin.transaction import Transaction, TxOut
from shared.errors import BesError

LENGTH_BYTES: Final = 4


class Case(msgspec.Struct, frozen=True, array_like=True):
    """A complete transaction and, for each input in order, amount in satoshi and script of what it spends."""

    raw: bytes
    spent: tuple[tuple[int, bytes], ...]


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """`reason` is empty where all inputs are right; `failed_input` stays None where the case could not be read."""

    failed_input: int | None = None
    reason: str = ""


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not look like a finding
    with os.fdopen(0, "rb") as questions, answers:
        serve(questions, answers)


def serve(questions: BufferedReader, answers: BufferedWriter) -> None:
    """Until the other side closes."""
    decoder = msgspec.msgpack.Decoder(tuple[Case, ...])
    while len(length := questions.read(LENGTH_BYTES)) == LENGTH_BYTES:
        cases = decoder.decode(questions.read(int.from_bytes(length, "little")))
        answer = msgspec.msgpack.encode([_judge(case) for case in cases])
        answers.write(len(answer).to_bytes(LENGTH_BYTES, "little") + answer)
        answers.flush()


def _judge(case: Case) -> Finding:
    try:
        spent = [TxOut(amount_sat, script) for amount_sat, script in case.spent]
        failed = failed_input(Transaction.parse(case.raw), spent)
    except BesError as error:
        return Finding(reason=str(error))
    return (
        Finding() if failed is None else Finding(failed, f"input {failed} does not satisfy the script that it spends")
    )


if __name__ == "__main__":
    main()
