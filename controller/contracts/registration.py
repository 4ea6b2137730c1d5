"""From the outbox to the boxes: every box of a contract gets each policy that its owners sealed."""

import msgspec

from controller.contracts.book import ContractBook
from controller.contracts.event import BoxRefused, codec, contract_stream
from controller.contracts.model import Contract, Phase, PolicyDraft
from controller.contracts.ports import Registrar
from controller.contracts.refusal import Refusal
from controller.journal import Append, OutboxEntry, SideEffect
from shared.errors import WireError
from shared.wire.codec import decode, encode

EFFECT_KIND = "contract-registration"
ACTOR = "controller"


class Registration(msgspec.Struct, array_like=True, frozen=True):
    contract_id: str
    policy_version: int
    box_id: str


def effects(contract: Contract, draft: PolicyDraft) -> tuple[SideEffect, ...]:
    """One for each box that has not taken it yet, in a lane of its own."""
    version = draft.policy.policy_version
    return tuple(
        SideEffect(
            key=f"{contract.contract_id}/{version}/{draft.attempts}/{box}",
            kind=EFFECT_KIND,
            lane=box,
            payload=encode(Registration(contract.contract_id, version, box)),
        )
        for box in contract.boxes
        if box not in draft.registered
    )


class RegistrationDelivery:
    """`deliver` is handed to a Dispatcher of kind EFFECT_KIND; what the box says arrives by `ContractService`."""

    def __init__(self, registrar: Registrar, book: ContractBook) -> None:
        self._registrar = registrar
        self._book = book

    async def deliver(self, entry: OutboxEntry) -> tuple[Append, ...]:
        asked = decode(entry.payload, Registration)
        contract = self._waiting(asked)
        if contract is not None and contract.pending is not None and contract.pending.sealed is not None:
            sealed = contract.pending.sealed
            await self._registrar.register(asked.box_id, contract.terms, asked.policy_version, sealed)
        return ()

    def abandon(self, entry: OutboxEntry, detail: str) -> tuple[Append, ...]:
        """What is written where a box cannot be told at all."""
        try:
            asked = decode(entry.payload, Registration)
        except WireError:
            return ()
        contract = self._waiting(asked)
        if contract is None:
            return ()
        fact = BoxRefused(asked.contract_id, asked.policy_version, asked.box_id, Refusal.UNDELIVERED, detail)
        return (Append(contract_stream(asked.contract_id), (codec.encode(fact, ACTOR),), contract.version),)

    def _waiting(self, asked: Registration) -> Contract | None:
        """The contract, as long as its boxes are awaited; None where the policy was withdrawn or is in force."""
        contract = self._book.find(asked.contract_id)
        if contract is None or contract.pending is None or contract.phase is Phase.CLOSED:
            return None
        return contract if contract.pending.policy.policy_version == asked.policy_version else None
