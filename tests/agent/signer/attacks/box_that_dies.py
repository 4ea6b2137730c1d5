"""A box in a process of its own, which asks itself for payments and tells each answer, until somebody kills it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog
from msgspec.structs import replace

from agent.signer.ledger import Entry, EntryKind, Note
from tests.agent.signer.scene import LIMITS, Box, coin, payment

PLENTY = 10**12
MOMENTS = ("before it signs", "after it signed", "before it writes the answer")


def request_of(box: Box, number: int):
    """The same request for the same number in every life."""
    box._count = number
    return box.request(payment(coins=[coin(salt=number)]))


async def opened(folder: Path) -> Box:
    box = Box(folder)
    return await box.open(limits=replace(LIMITS, window_sat=PLENTY, lifetime_sat=PLENTY))


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(box: Box, moment: str) -> None:
    sign, record = box.keys.sign_ecdsa, box.ledger.record

    def signed_and_dead(key: bytes, digest: bytes) -> bytes:
        sign(key, digest)
        die()
        raise AssertionError("dead")

    async def dead_before_an_answer(note: Note, *arguments: object, **named: object) -> Entry:
        if note.kind is EntryKind.ANSWER:
            die()
        return await record(note, *arguments, **named)

    match moment:
        case "before it signs":
            box.keys.sign_ecdsa = die
        case "after it signed":
            box.keys.sign_ecdsa = signed_and_dead
        case "before it writes the answer":
            box.ledger.record = dead_before_an_answer


async def main(folder: Path, first: int, moment: str = "") -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    box = await opened(folder)
    die_at(box, moment)
    number = first
    while True:
        requests = [request_of(box, number + offset) for offset in range(4)]
        for answer in await asyncio.gather(*map(box.sessions.answer, requests)):
            print(answer.request_id, answer.outcome, answer.ledger_seq, answer.psbt.hex(), flush=True)
        number += 4


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
