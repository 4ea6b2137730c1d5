"""Takes what nodes commit to into the journal, each slot once."""

from typing import Protocol

from nacl.signing import VerifyKey

from controller.contracts.proofs.event import COMMITTED, ClaimKept, EnergySlotCommitted, committed, stream_of
from controller.journal import EventCodec, Journal
from shared.errors import WireError
from shared.log import get_logger
from shared.proofs.slot import Series
from shared.wire.event import Event, EventBatch

log = get_logger("controller.proofs")
CODEC = EventCodec((EnergySlotCommitted, ClaimKept))


class NodeKeys(Protocol):
    def node_key(self, site: str, node: str) -> VerifyKey | None:
        """None for a node that has not introduced itself."""
        ...


class EnergySlots:
    """A slot that comes again, or late, is left out: the chain that its successors name is the one that counts."""

    def __init__(self, journal: Journal, keys: NodeKeys) -> None:
        self._journal = journal
        self._keys = keys
        self._highest: dict[Series, int] = {}

    async def take(self, site: str, node: str, batch: EventBatch) -> None:
        """Keep the slots among a node's events; what it did not sign is refused and logged."""
        facts = [fact for event in batch.events if event.code == COMMITTED and (fact := self._fact(site, node, event))]
        for fact in facts:
            if fact.slot.slot > await self._newest(fact.series):
                await self._journal.append(stream_of(fact.series), [CODEC.encode(fact, f"node/{node}")])
                self._highest[fact.series] = fact.slot.slot

    def _fact(self, site: str, node: str, event: Event) -> EnergySlotCommitted | None:
        key = self._keys.node_key(site, node)
        try:
            return None if key is None else committed(site, node, key, event)
        except WireError as refused:
            log.warning("proofs.slot-refused", site=site, node=node, code=refused.code, detail=refused.detail)
            return None

    async def _newest(self, series: Series) -> int:
        """The highest slot in the journal; -1 before the first."""
        if series not in self._highest:
            facts = [CODEC.decode(event) for event in await self._journal.stream(stream_of(series))]
            slots = [fact.slot.slot for fact in facts if isinstance(fact, EnergySlotCommitted)]
            self._highest[series] = max(slots, default=-1)
        return self._highest[series]
