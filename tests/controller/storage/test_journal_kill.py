"""Nothing acknowledged is lost: kill -9 in the middle of appending, then compare with what was acknowledged."""

import signal
import subprocess
import sys
from pathlib import Path

from controller.journal.audit import verify
from controller.storage.sqlite.journal_log import SqliteLogFile

_WRITER = """
import asyncio, sys
from pathlib import Path
from controller.journal import Journal, NewEvent
from controller.storage.sqlite.journal import SqliteJournal
from shared.clock import SystemClock

async def producer(journal, name):
    while True:
        [event] = await journal.append(name, [NewEvent("Written", b"{}", name)])
        print(event.position, event.digest.hex(), flush=True)

async def main():
    async with SqliteJournal(Path(sys.argv[1])) as store:
        journal = Journal(store, SystemClock())
        await asyncio.gather(*(producer(journal, f"s/{number}") for number in range(8)))

asyncio.run(main())
"""
ROUNDS = 3
ACKNOWLEDGED_A_ROUND = 60


def test_every_acknowledged_event_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    acknowledged: dict[int, str] = {}
    for _ in range(ROUNDS):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(ACKNOWLEDGED_A_ROUND)]
            writer.send_signal(signal.SIGKILL)
            lines += [line for line in writer.stdout if line.endswith("\n")]
        acknowledged.update((int(position), digest) for position, digest in map(str.split, lines))
    log = SqliteLogFile(path)
    try:
        assert verify(log).damage is None
        stored = {event.position: event.digest.hex() for event in log.events()}
    finally:
        log.close()
    assert len(acknowledged) >= ROUNDS * ACKNOWLEDGED_A_ROUND
    assert acknowledged.items() <= stored.items()
