"""What the agent's spool has ever accepted, written down by SQLite itself and by nothing of the product.

A trigger copies number, kind and row count of every record into a table of ours, in the transaction that accepts the
record: so the list is exact, also for a transaction that was answered a moment before a kill.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

_BUSY_S = 5.0
_INSTALL = """\
BEGIN IMMEDIATE;
CREATE TABLE chaos_accepted (seq INTEGER NOT NULL, kind INTEGER NOT NULL, samples INTEGER NOT NULL);
INSERT INTO chaos_accepted SELECT seq, kind, samples FROM record;
CREATE TRIGGER chaos_witness AFTER INSERT ON record
BEGIN INSERT INTO chaos_accepted VALUES (new.seq, new.kind, new.samples); END;
COMMIT;
"""


class Accepted(NamedTuple):
    """One record as the spool took it."""

    kind: int
    samples: int


class Testimony(NamedTuple):
    """`records` by number; `waiting` are those still in the spool; `renumbered` how many numbers were given twice."""

    epoch: str
    records: dict[int, Accepted]
    waiting: frozenset[int]
    renumbered: int
    unseen: int


def install(spool: Path) -> bool:
    """Put the witness into a spool from which nothing was released yet; False while the file is not there yet."""
    if not spool.exists():
        return False
    with closing(sqlite3.connect(spool, timeout=_BUSY_S, isolation_level=None)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'record'").fetchone() is None:
            return False
        if connection.execute("SELECT 1 FROM spool").fetchone() is None:
            return False
        connection.executescript(_INSTALL)
    return True


def accepted_seq(spool: Path) -> int:
    """The highest number so far."""
    with closing(_read_only(spool)) as connection:
        found = connection.execute("SELECT max(seq) FROM chaos_accepted").fetchone()[0]
    return 0 if found is None else int(found)


def testify(spool: Path) -> Testimony:
    """`unseen` counts numbers below the highest that the witness has no line of: 0 unless the spool was replaced."""
    with closing(_read_only(spool)) as connection:
        epoch: str = connection.execute("SELECT epoch FROM spool").fetchone()[0]
        lines = connection.execute("SELECT seq, kind, samples FROM chaos_accepted").fetchall()
        waiting = frozenset(seq for (seq,) in connection.execute("SELECT seq FROM record"))
        highest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()[0]
    records = {seq: Accepted(kind, samples) for seq, kind, samples in lines}
    return Testimony(epoch, records, waiting, len(lines) - len(records), max(highest, *records) - len(records))


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
