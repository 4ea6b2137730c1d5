"""Writes to one of the durable stores and notes every answer it got: `writer.py FOLDER STORE SYNCHRONOUS`.

A note is one write to the file of receipts, after the store has answered; an intention is noted before.
"""

import asyncio
import os
import sys
from pathlib import Path

from agent.signer.ledger import Ledger
from agent.spool import Spool
from controller.ingest import Group, RecordArrival
from controller.journal import Journal, NewEvent
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared import group_commit
from shared.clock import SystemClock
from shared.wire.event import Event, EventBatch
from shared.wire.record import RecordKind
from tests.agent.signer.ledger.scene import START, WIDE_LIMITS, spend
from tests.integration.power_cut.trace import RECEIPTS

APPENDS, PRODUCERS = 25, 4


class Notes:
    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / RECEIPTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


def text_of(number: int) -> str:
    """Does not compress, and has a length of its own."""
    return os.urandom(100 + 37 * (number % 20)).hex()


async def write_spool(folder: Path, notes: Notes) -> None:
    spool = Spool(folder, machine_id="test")
    await spool.open()

    async def produce(first: int) -> None:
        for number in range(first, first + APPENDS):
            batch = EventBatch(events=(Event(number, "test", "d", 0, text_of(number)),))
            notes.add("accepted", spool.epoch, await spool.append(RecordKind.EVENT, batch, 1))
            if number % 10 == 9:
                mark = (await spool.stats()).highest_seq // 2
                notes.add("release", spool.epoch, mark)
                await spool.release(spool.epoch, mark)

    await asyncio.gather(*(produce(number * APPENDS) for number in range(PRODUCERS)))
    await spool.close()


async def write_journal(folder: Path, notes: Notes) -> None:
    async with SqliteJournal(folder / "journal.db") as store:
        journal = Journal(store, SystemClock())

        async def produce(stream: int) -> None:
            for number in range(APPENDS):
                [event] = await journal.append(f"s/{stream}", [NewEvent("Written", text_of(number).encode(), "test")])
                notes.add("appended", event.position, event.digest.hex())

        await asyncio.gather(*(produce(stream) for stream in range(PRODUCERS)))


async def write_ledger(folder: Path, notes: Notes) -> None:
    ledger = Ledger(folder / "ledger.db", box_id="test", boot_id="test")
    await ledger.open()

    async def produce(first: int) -> None:
        for number in range(first, first + APPENDS):
            entry = (await ledger.debit(spend(number), WIDE_LIMITS, START)).entry
            notes.add("debited", entry.txid, entry.digest.hex())

    await asyncio.gather(*(produce(number * APPENDS) for number in range(PRODUCERS)))
    await ledger.close()


async def write_telemetry(folder: Path, notes: Notes) -> None:
    async with SqliteTelemetry(folder / "telemetry.db") as store:
        for seq in range(1, APPENDS * PRODUCERS + 1):
            batch = EventBatch(events=(Event(seq, "test", "d", 0, text_of(seq)),))
            arrival = RecordArrival("north", "n1", "e", seq, RecordKind.EVENT, text_of(seq).encode(), batch)
            result = await asyncio.to_thread(store.store, Group([arrival], [], []), seq)
            notes.add("stored", result.marks["north", "n1", "e"])


STORES = {"spool": write_spool, "journal": write_journal, "telemetry": write_telemetry, "ledger": write_ledger}


def main(folder: Path, store: str, synchronous: str) -> None:
    pragmas = tuple(pragma.replace("=FULL", f"={synchronous}") for pragma in group_commit._PRAGMAS)
    group_commit._PRAGMAS = pragmas
    folder.mkdir()
    asyncio.run(STORES[store](folder, Notes(folder)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
