"""What an owner states about the energy of many slots, and the proof that goes with it."""

import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from shared.errors import ClaimImpossible
from shared.proofs import verifier
from shared.proofs.commitment import HIGHEST, ORDER, range_proof
from shared.proofs.slot import UNIT, Opening, Series, SignedSlot


class Kind(StrEnum):
    AT_MOST = "at-most"
    AT_LEAST = "at-least"
    EXACTLY = "exactly"  # opens the sum, and nothing of any slot


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """`bound` in Wh over all slots from first to last, both included. `nonce` is the asker's, so that no old claim
    answers; `expires` is a date that people agreed on (ISO 8601) and that no program judges.
    """

    site: str
    meter: str
    interval_s: int
    unit: str = UNIT
    first_slot: int
    last_slot: int
    kind: Kind
    bound: int
    nonce: str
    expires: str

    @property
    def series(self) -> Series:
        return Series(self.site, self.meter, self.interval_s)


def claim(statement: Statement, slots: Sequence[SignedSlot], openings: Mapping[int, Opening]) -> dict[str, Any]:
    """The claim as a document for `verifier.check`, of what each slot hides.

    ClaimImpossible where a slot is missing or the statement is not true: no proof of it exists.
    """
    wanted = range(statement.first_slot, statement.last_slot + 1)
    if [slot.slot for slot in slots] != list(wanted):
        raise ClaimImpossible(f"not every slot from {wanted.start} to {wanted.stop - 1} was signed once, in order")
    if missing := [slot for slot in wanted if slot not in openings]:
        raise ClaimImpossible(f"the energy of slot {missing[0]} is not known")
    total_wh = sum(openings[slot].energy_wh for slot in wanted)
    hidden = sum(int.from_bytes(openings[slot].blinding, "big") for slot in wanted) % ORDER
    text = msgspec.to_builtins(statement)
    document = {"statement": text, "slots": [msgspec.to_builtins(slot) for slot in slots]}
    return document | _shown(statement, total_wh, hidden, verifier.statement_bytes(text))


def _shown(statement: Statement, total_wh: int, hidden: int, text: bytes) -> dict[str, str]:
    """The proof's own part: an opening, or a range proof of what lies between total and bound."""
    if statement.kind is Kind.EXACTLY:
        if total_wh != statement.bound:
            raise ClaimImpossible(f"the slots hold {total_wh} Wh, not {statement.bound}")
        return {"blinding": f"{hidden:064x}"}
    between, secret_sum = total_wh - statement.bound, hidden
    if statement.kind is Kind.AT_MOST:
        between, secret_sum = -between, -hidden % ORDER
    if not 0 <= between <= HIGHEST:
        raise ClaimImpossible(f"the slots hold {total_wh} Wh, which is not {statement.kind} {statement.bound}")
    return {"proof": range_proof(between, secret_sum, UNIT, secrets.token_bytes(32), text).hex()}
