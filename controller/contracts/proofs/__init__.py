"""Proofs for outsiders: what nodes committed to is kept in the journal, and claims are made of it by its owner alone.

The controller holds commitments and sealed openings; it cannot open them. `bes claim prove` does, with the owner's
key, from the journal's file.
"""

from controller.contracts.proofs.book import KeptClaim, MeterSlots, ProofBook
from controller.contracts.proofs.event import COMMITTED, EnergySlotCommitted, stream_of
from controller.contracts.proofs.keeping import ClaimKeeper
from controller.contracts.proofs.making import made
from controller.contracts.proofs.service import EnergySlots

__all__ = [
    "COMMITTED",
    "ClaimKeeper",
    "EnergySlotCommitted",
    "EnergySlots",
    "KeptClaim",
    "MeterSlots",
    "ProofBook",
    "made",
    "stream_of",
]
