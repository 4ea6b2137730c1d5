"""Every proposal and every execution of many at once: which coins they hold, and what they have spent together."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from controller.journal import RecordedEvent
from controller.signing.event import PREFIX, SpendingProposed, codec
from controller.signing.execution.book import Elsewhere, ExecutionBook
from controller.signing.model import OutPointKey
from controller.signing.ports import Contract
from controller.signing.progress import ProposalProgress
from controller.signing.refusal import SigningRefusal
from shared.errors import Denied


class ProposalBoard:
    """A projection of the journal: `fold` is subscribed there. Rebuilding it from the first event gives the same."""

    def __init__(self) -> None:
        self.executions = ExecutionBook()
        self._proposals: dict[str, ProposalProgress] = {}
        self._open: dict[str, ProposalProgress] = {}

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        self.executions.fold(events)
        for event in events:
            if event.stream.startswith(PREFIX):
                fact = codec.decode(event)
                if fact is not None:
                    self._take(event, fact)

    def __iter__(self) -> Iterator[ProposalProgress]:
        """All, oldest first."""
        return iter(list(self._proposals.values()))

    def find(self, proposal_id: str) -> ProposalProgress | None:
        return self._proposals.get(proposal_id)

    def progress(self, proposal_id: str) -> ProposalProgress:
        """Denied `proposal.unknown`."""
        found = self.find(proposal_id)
        if found is None:
            raise Denied(SigningRefusal.UNKNOWN_PROPOSAL, f"there is no proposal {proposal_id!r}")
        return found

    def open(self) -> Iterator[ProposalProgress]:
        """Those that are not over, oldest first."""
        return iter(list(self._open.values()))

    def listed(self, contract_id: str) -> list[ProposalProgress]:
        """All of a contract, newest first."""
        mine = [progress for progress in self._proposals.values() if progress.proposal.contract_id == contract_id]
        return mine[::-1]

    def reserved(self) -> Mapping[OutPointKey, str]:
        """Outputs that an open proposal spends, with its id, or that an execution has spent, with the execution's."""
        return ChainMap(self._proposed(), self.executions.coins)  # type: ignore[arg-type]  # nobody writes

    def waiting(self) -> set[str]:
        """Transactions of open proposals and executions that no block holds: what they make is not in the chain yet."""
        proposed = {one.proposal.txid for one in self._open.values() if one.block is None}
        return proposed | {one.txid for one in self.executions.open() if one.block is None}

    def elsewhere(self, contract: Contract, height: int) -> Elsewhere:
        """What executions have to know of proposals."""
        since = height - contract.policy.limits.window_blocks
        proposed_sat, ever_sat = (self._proposals_sat(contract.contract_id, low, None) for low in (since, 0))
        return Elsewhere(self._proposed(), proposed_sat, ever_sat)

    def spent_sat(self, contract_id: str, since_height: int, *, without: OutPointKey) -> int:
        """What boxes may have signed away since a height, the fees included, by proposals and by executions.

        As with boxes, a family of replacements, known by the first input that all its versions spend, counts once with
        its largest version; that of `without` is left out. What is not over counts whatever its height.
        """
        executed_sat = self.executions.spent_sat(contract_id, since_height)
        return executed_sat + self._proposals_sat(contract_id, since_height, without)

    def _proposed(self) -> dict[OutPointKey, str]:
        return {
            outpoint: progress.proposal_id for progress in self._open.values() for outpoint in progress.proposal.inputs
        }

    def _proposals_sat(self, contract_id: str, since_height: int, without: OutPointKey | None) -> int:
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
