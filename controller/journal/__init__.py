"""The controller's memory: one append-only, hash-chained log of everything consequential.

Events stand in streams with optimistic concurrency, a commit is answered after its fsync, side effects leave through
an outbox that is written in the same transaction, and a Merkle tree (RFC 6962) with signed heads lets anybody check
that nothing was changed or left out. Contracts, commands and verdicts are state machines over these streams.
"""

from controller.journal.codec import EventCodec
from controller.journal.model import Append, Commit, NewEvent, OutboxEntry, RecordedEvent, SideEffect, Snapshot
from controller.journal.outbox import Dispatcher
from controller.journal.schedule import HeadSchedule
from controller.journal.service import Journal

__all__ = [
    "Append",
    "Commit",
    "Dispatcher",
    "EventCodec",
    "HeadSchedule",
    "Journal",
    "NewEvent",
    "OutboxEntry",
    "RecordedEvent",
    "SideEffect",
    "Snapshot",
]
