"""A claim from a journal at rest and the owner's key."""

from collections.abc import Iterable
from typing import Any

from nacl.public import PrivateKey

from controller.contracts.proofs.event import EnergySlotCommitted, stream_of
from controller.contracts.proofs.service import CODEC
from controller.journal import RecordedEvent
from shared.errors import ClaimImpossible
from shared.proofs.claim import Statement, claim
from shared.proofs.slot import Opening


def made(statement: Statement, events: Iterable[RecordedEvent], owner: PrivateKey) -> dict[str, Any]:
    """The claim's document for `verifier.check`; `node_key` beside it names who signed.

    ClaimImpossible where a slot is missing or the statement is not true.
    """
    stream, wanted = stream_of(statement.series), range(statement.first_slot, statement.last_slot + 1)
    facts: dict[int, EnergySlotCommitted] = {}
    for event in events:
        if event.stream != stream:
            continue
        fact = CODEC.decode(event)
        if isinstance(fact, EnergySlotCommitted) and fact.slot.slot in wanted:
            facts[fact.slot.slot] = fact
    if not facts:
        raise ClaimImpossible(f"the journal holds no slot of {statement.meter} at {statement.site} in that time")
    if len({fact.node_key for fact in facts.values()}) > 1:
        raise ClaimImpossible("the slots were signed by more than one node; claim the time of each by itself")
    openings = {slot: Opening.unsealed(bytes.fromhex(fact.opening), owner) for slot, fact in facts.items()}
    slots = [facts[slot].slot for slot in sorted(facts)]
    return claim(statement, slots, openings) | {"node_key": next(iter(facts.values())).node_key}
