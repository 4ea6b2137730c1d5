"""Every proposal, and which coins the open ones hold."""

from collections.abc import Iterator, Sequence

import msgspec

from controller.journal import RecordedEvent
from controller.signing.event import PREFIX, SpendingProposed, codec
from controller.signing.model import OutPointKey
from controller.signing.progress import ProposalProgress


class ProposalBoard:
    """A projection of the journal: `fold` is subscribed there. Rebuilding it from the first event gives the same."""

    def __init__(self) -> None:
        self._proposals: dict[str, ProposalProgress] = {}
        self._open: dict[str, ProposalProgress] = {}

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            if event.stream.startswith(PREFIX):
                fact = codec.decode(event)
                if fact is not None:
                    self._take(event, fact)

    def find(self, proposal_id: str) -> ProposalProgress | None:
        return self._proposals.get(proposal_id)

    def open(self) -> Iterator[ProposalProgress]:
        """Those that are not over, oldest first."""
        return iter(list(self._open.values()))

    def listed(self, contract_id: str) -> list[ProposalProgress]:
        """All of a contract, newest first."""
        mine = [progress for progress in self._proposals.values() if progress.proposal.contract_id == contract_id]
        return mine[::-1]

    def reserved(self) -> dict[OutPointKey, str]:
        """Outputs that an open proposal spends, with that proposal's id."""
        return {
            outpoint: progress.proposal_id for progress in self._open.values() for outpoint in progress.proposal.inputs
        }

    def spent_sat(self, contract_id: str, since_height: int, *, without: OutPointKey) -> int:
        """What boxes may have signed away since a height, the fees included.

        As with boxes, a family of replacements, known by the first input that all its versions spend, counts once with
        its largest version; that of `without` is left out. What is not over counts whatever its height.
        """
        families: dict[OutPointKey, int] = {}
        for progress in self._proposals.values():
            proposal = progress.proposal
            common = proposal.inputs[0]
            if proposal.contract_id != contract_id or not progress.signed or common == without:
                continue
            height = progress.block.height if progress.block is not None else proposal.expiry_height
            if not progress.over or height >= since_height:
                families[common] = max(families.get(common, 0), proposal.external_sat + proposal.fee_sat)
        return sum(families.values())

    def _take(self, event: RecordedEvent, fact: msgspec.Struct) -> None:
        proposal_id = event.stream.removeprefix(PREFIX)
        progress = self._proposals.get(proposal_id)
        if progress is None:
            if isinstance(fact, SpendingProposed):
                self._proposals[proposal_id] = self._open[proposal_id] = ProposalProgress(fact, event)
            return
        progress.apply(event, fact)
        if progress.over:
            self._open.pop(proposal_id, None)
