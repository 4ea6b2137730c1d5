"""Which meters were committed to, and which claims were made of it, folded from the journal."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.contracts.proofs.event import CLAIMS, ClaimKept, EnergySlotCommitted
from controller.contracts.proofs.service import CODEC
from controller.journal import RecordedEvent
from shared.proofs.slot import Series


@dataclass
class MeterSlots:
    """Of one series. `missing` slots lie between the first and the last; no claim covers them."""

    series: Series
    node: str
    first_slot: int
    last_slot: int
    slots: int = 1
    node_keys: set[str] = field(default_factory=set)

    @property
    def missing(self) -> int:
        return self.last_slot - self.first_slot + 1 - self.slots


@dataclass(frozen=True)
class KeptClaim:
    fact: ClaimKept
    kept_by: str
    kept_at_ms: int


class ProofBook:
    """A projection: rebuilding it from the first event gives the same."""

    def __init__(self) -> None:
        self._meters: dict[Series, MeterSlots] = {}
        self._claims: dict[str, KeptClaim] = {}
        self._position = 0

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        """An event that was folded before changes nothing."""
        for event in events:
            if event.position <= self._position:
                continue
            self._position = event.position
            fact = CODEC.decode(event) if event.stream.startswith("energy") else None
            if isinstance(fact, EnergySlotCommitted):
                self._committed(fact)
            elif isinstance(fact, ClaimKept) and event.stream == CLAIMS:
                self._claims[fact.claim_id] = KeptClaim(fact, event.actor, event.at_ms)

    def meters(self) -> tuple[MeterSlots, ...]:
        return tuple(self._meters.values())

    def node_keys(self, series: Series) -> frozenset[str]:
        """Public keys (hex) that signed slots of a meter."""
        found = self._meters.get(series)
        return frozenset() if found is None else frozenset(found.node_keys)

    def claims(self) -> tuple[KeptClaim, ...]:
        """Newest first."""
        return tuple(reversed(self._claims.values()))

    def claim(self, claim_id: str) -> KeptClaim | None:
        return self._claims.get(claim_id)

    def _committed(self, fact: EnergySlotCommitted) -> None:
        slot, known = fact.slot.slot, self._meters.get(fact.series)
        if known is None:
            self._meters[fact.series] = MeterSlots(fact.series, fact.node, slot, slot, node_keys={fact.node_key})
            return
        known.last_slot = max(known.last_slot, slot)
        known.slots += 1
        known.node = fact.node
        known.node_keys.add(fact.node_key)
