"""All contracts of a controller, folded from the journal."""

from collections.abc import Sequence

from controller.contracts.event import PREFIX, AnyContractEvent, ContractDrafted, codec
from controller.contracts.model import Contract, Phase, drafted, evolve
from controller.contracts.refusal import Refusal
from controller.journal import RecordedEvent
from shared.errors import Corrupt, Denied


class ContractBook:
    """A projection: `fold` is subscribed to the journal, and rebuilding it from the first event gives the same."""

    def __init__(self) -> None:
        self._contracts: dict[str, Contract] = {}

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        """Take what was written; Corrupt where it contradicts what was written before."""
        for event in events:
            if not event.stream.startswith(PREFIX):
                continue  # most of a journal is of others
            fact = codec.decode(event)
            if isinstance(fact, AnyContractEvent):
                self._take(event, fact)

    def find(self, contract_id: str) -> Contract | None:
        return self._contracts.get(contract_id)

    def get(self, contract_id: str) -> Contract:
        """Denied `contract.unknown` where there is none."""
        found = self._contracts.get(contract_id)
        if found is None:
            raise Denied(Refusal.UNKNOWN, f"there is no contract {contract_id!r}")
        return found

    def listed(self) -> tuple[Contract, ...]:
        """Newest first."""
        return tuple(reversed(self._contracts.values()))

    def open(self) -> tuple[Contract, ...]:
        """Those that are not closed, oldest first."""
        return tuple(contract for contract in self._contracts.values() if contract.phase is not Phase.CLOSED)

    def _take(self, event: RecordedEvent, fact: AnyContractEvent) -> None:
        if isinstance(fact, ContractDrafted):
            self._contracts[fact.contract_id] = drafted(fact, actor=event.actor, at_ms=event.at_ms)
            return
        state = self._contracts.get(fact.contract_id)
        if state is None or event.version > state.version + 1:
            raise Corrupt(f"event {event.position} ({event.name}) of {event.stream!r}: events before it are missing")
        if event.version <= state.version:
            return  # folded before
        try:
            self._contracts[fact.contract_id] = evolve(state, fact)
        except Denied as denied:
            raise Corrupt(f"event {event.position} ({event.name}) of {event.stream!r}: {denied.detail}") from denied
