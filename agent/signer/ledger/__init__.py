"""What a signing box has decided: an append-only, hash-chained file, debited before anything is signed.

`Ledger.debit` answers after the fsync; a crash behind it wastes budget and never leaks value. Contracts, policies,
refusals and the heads of other boxes are rows of the same chain, so that nothing on which the box relies stands outside
of it. An old copy of the file is recognised by the boxes that remember its head (witness.py).
"""

from agent.signer.ledger.boot import machine_boot_id
from agent.signer.ledger.model import Debit, Entry, EntryKind, Head, Note, Spend, Spent
from agent.signer.ledger.service import Ledger
from agent.signer.ledger.witness import Memory, WitnessBook, require_remembered

__all__ = [
    "Debit",
    "Entry",
    "EntryKind",
    "Head",
    "Ledger",
    "Memory",
    "Note",
    "Spend",
    "Spent",
    "WitnessBook",
    "machine_boot_id",
    "require_remembered",
]
