"""What the agent's spool has ever accepted, written down by SQLite itself and by nothing of the product.

A trigger copies number, kind and row count of every record into a table of ours, in the transaction that accepts the
record: so the list is exact, also for a transaction that was answered a moment before a kill.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from agent.spool import Spool, machine_id
from shared.errors import Corrupt

FILE = "spool.db"
_BUSY_S = 5.0
_INSTALL = """\
CREATE TABLE chaos_accepted (seq INTEGER NOT NULL, kind INTEGER NOT NULL, samples INTEGER NOT NULL);
CREATE TRIGGER chaos_witness AFTER INSERT ON record
BEGIN INSERT INTO chaos_accepted VALUES (new.seq, new.kind, new.samples); END;
"""


class Accepted(NamedTuple):
    """One record as the spool took it."""

    kind: int
    samples: int


class Acceptance(NamedTuple):
    """`records` by number; `waiting` are those still in the spool; `renumbered` how many numbers were given twice."""

    epoch: str
    records: dict[int, Accepted]
    waiting: frozenset[int]
    renumbered: int
    unseen: int


def install(folder: Path) -> None:
    """Make the spool that an agent will find in `folder`, with the witness in it before the first record."""
    asyncio.run(_make(folder))
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        connection.executescript(_INSTALL)


async def _make(folder: Path) -> None:
    spool = Spool(folder, machine_id=machine_id())
    await spool.open()
    await spool.close()


def accepted_seq(spool: Path) -> int:
    """The highest number so far."""
    with _witnessed(spool) as connection:
        found = connection.execute("SELECT max(seq) FROM chaos_accepted").fetchone()[0]
    return 0 if found is None else int(found)


def acceptance(spool: Path) -> Acceptance:
    """All that the witness saw. `unseen` counts numbers that were given out without it."""
    with _witnessed(spool) as connection:
        epoch: str = connection.execute("SELECT epoch FROM spool").fetchone()[0]
        lines = connection.execute("SELECT seq, kind, samples FROM chaos_accepted").fetchall()
        waiting = frozenset(seq for (seq,) in connection.execute("SELECT seq FROM record"))
        highest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()[0]
    records = {seq: Accepted(kind, samples) for seq, kind, samples in lines}
    return Acceptance(epoch, records, waiting, len(lines) - len(records), max(highest, *records) - len(records))


@contextmanager
def _witnessed(spool: Path) -> Iterator[sqlite3.Connection]:
    """Corrupt where the agent has replaced the file, and with it the witness: no kill may do that."""
    uri = f"{spool.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'chaos_witness'").fetchone() is None:
            raise Corrupt(f"{spool}: the agent has set its spool aside and begun another; see its quarantine folder")
        yield connection
