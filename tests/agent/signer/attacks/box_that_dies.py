"""A box in a process of its own, which asks itself for payments and tells each answer, until somebody kills it."""

import asyncio
import sys
from pathlib import Path

import structlog
from msgspec.structs import replace

from tests.agent.signer.scene import LIMITS, Box, coin, payment

PLENTY = 10**12


def request_of(box: Box, number: int):
    """The same request for the same number in every life."""
    box._count = number
    return box.request(payment(coins=[coin(salt=number)]))


async def opened(folder: Path) -> Box:
    box = Box(folder)
    return await box.open(limits=replace(LIMITS, window_sat=PLENTY, lifetime_sat=PLENTY))


async def main(folder: Path, first: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    box = await opened(folder)
    number = first
    while True:
        requests = [request_of(box, number + offset) for offset in range(4)]
        for answer in await asyncio.gather(*map(box.sessions.answer, requests)):
            print(answer.request_id, answer.outcome, answer.ledger_seq, answer.psbt.hex(), flush=True)
        number += 4


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
