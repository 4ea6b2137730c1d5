"""Debits and "signs" until it is killed: `debiting.py LEDGER`. A line on stdout is a signature that left."""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from agent.signer.ledger import EntryKind, Ledger, Note
from tests.agent.signer.ledger.scene import CONTRACT, START, WIDE_LIMITS, spend

PRODUCERS = 8


async def main(path: Path) -> None:
    ledger = Ledger(path, box_id="box-a", boot_id="boot-1")
    await ledger.open()
    begun = len(await ledger.all_of(EntryKind.DEBIT, CONTRACT))

    async def produce(producer: int) -> None:
        for step in itertools.count():
            number = (begun + step) * PRODUCERS + producer
            entry = (await ledger.debit(spend(number), WIDE_LIMITS, START)).entry
            os.write(1, f"{entry.seq} {entry.txid} {entry.digest.hex()}\n".encode())
            await ledger.record(Note(kind=EntryKind.ANSWER, request_id=f"request-{number}", body=b"signed"), START)

    await asyncio.gather(*(produce(producer) for producer in range(PRODUCERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
