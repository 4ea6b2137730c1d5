"""The money door: every coin that leaves a contract enters here."""

from collections.abc import Sequence
from random import Random, SystemRandom

import msgspec

from controller.journal import Append, Commit, Journal
from controller.signing.airgap import additions_of_file
from controller.signing.approval import approver_of, wanted_approval
from controller.signing.board import ProposalBoard
from controller.signing.conductor import Conductor, Office
from controller.signing.event import (
    AnswerTaken,
    ApprovalGiven,
    ProposalApproved,
    ProposalCancelled,
    ProposalSealed,
    codec,
    proposal_stream,
)
from controller.signing.inbox import AnswerInbox
from controller.signing.model import UNSIGNED, Person, ProposalStatus
from controller.signing.progress import ProposalProgress
from controller.signing.proposer import people_of_account, proposal_of, proposer_of
from controller.signing.proposing import Proposing
from controller.signing.refusal import SigningRefusal
from controller.signing.watch import ChainWatch
from shared.clock import Clock
from shared.errors import BesError, Denied
from shared.log import get_logger
from shared.person import folded
from shared.wire.contract import Approval

_log = get_logger("signing.service")


class SigningService:
    """`Denied` carries the rule's id of every refusal; what was refused is in the journal too.

    What `proposing` has written down its proposer, approvers, boxes and the chain carry on. `board` is the read model.
    """

    def __init__(
        self,
        journal: Journal,
        board: ProposalBoard,
        office: Office,
        conductor: Conductor,
        clock: Clock,
        random: Random | None = None,
    ) -> None:
        self.board = board
        self.conductor = conductor
        self.watch = ChainWatch(journal, board, office.chain)
        self._journal = journal
        self._office = office
        self.proposing = Proposing(journal, board, office, clock, random or SystemRandom())
        self._inbox = AnswerInbox(journal, board, office.contracts)

    def to_seal(self, proposal_id: str) -> dict[str, Approval]:
        """What its proposer signs, under APPROVAL_DOMAIN, by the person as whom the account may propose."""
        progress = self.board.progress(proposal_id)
        contract = self._office.contract(progress.proposal.contract_id)
        subject = wanted_approval(progress.proposal, contract, progress.proposer)
        return {person: proposal_of(subject, person) for person in people_of_account(progress.account, contract.policy)}

    async def seal(self, proposal_id: str, sealed: bytes) -> ProposalProgress:
        """Take the proposer's own signature; from now on it waits for the approvals of others."""
        tip = await self._office.chain.tip()
        progress = self._in(proposal_id, ProposalStatus.PROPOSED)
        contract = self._office.contract(progress.proposal.contract_id)
        subject = wanted_approval(progress.proposal, contract, progress.proposer)
        person = proposer_of(sealed, subject, contract, tip.height)
        may_propose = people_of_account(progress.account, contract.policy)
        if person not in may_propose:
            detail = f"{progress.account} asked for it and proposes as {', '.join(may_propose)}; {person} signed"
            raise Denied(SigningRefusal.PROPOSER_OTHER, detail)
        await self._write(progress, [ProposalSealed(proposal_id, person, sealed)], person)
        return progress

    def approval(self, proposal_id: str) -> Approval:
        """What an approver of this proposal has to sign, under APPROVAL_DOMAIN."""
        progress = self.board.progress(proposal_id)
        if not progress.proposer:
            raise Denied(SigningRefusal.PROPOSAL_MISSING, f"its proposer, {progress.account}, has to sign it first")
        return wanted_approval(
            progress.proposal, self._office.contract(progress.proposal.contract_id), progress.proposer
        )

    async def approve(self, proposal_id: str, sealed: bytes) -> ProposalProgress:
        """Take one person's signed yes; with enough of them the proposal goes on by itself."""
        tip = await self._office.chain.tip()
        progress = self._in(proposal_id, ProposalStatus.PROPOSED, ProposalStatus.SEALED)
        contract, wanted = self._office.contract(progress.proposal.contract_id), self.approval(proposal_id)
        approver = approver_of(sealed, wanted, contract, tip.height)
        if folded(approver.person) in map(folded, progress.approvals):
            raise Denied(SigningRefusal.APPROVER_TWICE, f"{approver.person} has approved it already")
        facts: list[msgspec.Struct] = [ApprovalGiven(proposal_id, approver.person, sealed)]
        persons = (*progress.approvals, approver.person)
        if len(persons) >= contract.policy.approvals_needed:
            facts.append(ProposalApproved(proposal_id, persons))
        await self._write(progress, facts, approver.person)
        await self._carry_on(proposal_id)
        return progress

    async def cancel(self, proposal_id: str, person: Person, reason: str) -> None:
        """Take it back, as long as no box was asked to sign it."""
        progress = self._in(proposal_id, *UNSIGNED)
        if not reason.strip():
            raise Denied(SigningRefusal.REASON_MISSING, "say why; the reason stays with the proposal")
        await self._write(progress, [ProposalCancelled(proposal_id, reason.strip())], person.name)

    async def answered(self, site: str, node: str, packet: bytes) -> None:
        """What a box sent; durable, and acted on, when it returns."""
        proposal_id = await self._inbox.handle(site, node, packet)
        if proposal_id is not None:
            await self._carry_on(proposal_id)

    async def import_signatures(self, proposal_id: str, party: str, file: bytes, person: Person) -> ProposalProgress:
        """Take what an air-gapped signer added to an exported PSBT, in binary or base64, by the same checks."""
        progress = self._in(proposal_id, ProposalStatus.CLEARED, ProposalStatus.SIGNING)
        contract = self._office.contract(progress.proposal.contract_id)
        for path, additions in additions_of_file(contract, progress.proposal, party, file):
            self._in(proposal_id, ProposalStatus.CLEARED, ProposalStatus.SIGNING)  # boxes may have completed it
            if party not in progress.signatures.get(path, {}):
                fact = AnswerTaken(
                    proposal_id=proposal_id, request_id="", party=party, box_id="", path=path, psbt=additions
                )
                await self._write(progress, [fact], person.name)
        await self._carry_on(proposal_id)
        return progress

    async def ask_again(self, proposal_id: str, person: Person) -> ProposalProgress:
        """Ask the boxes that are still silent once more; those that refused are not asked again."""
        progress = self._in(proposal_id, ProposalStatus.SIGNING)
        if not await self.conductor.repeat(progress, person.name):
            raise Denied(SigningRefusal.NOBODY_SILENT, "no box's answer is awaited; what each said stands here")
        return progress

    async def tick(self) -> None:
        """Look at the chain and at every open proposal: after a block, after a restart, and when a round is overdue."""
        await self.watch.observe()
        for progress in self.board.open():
            await self._carry_on(progress.proposal_id)

    async def _carry_on(self, proposal_id: str) -> None:
        """What brought us here is durable; where the next step fails, the next tick takes it, and the others go on."""
        try:
            await self.conductor.advance(proposal_id)
        except BesError as error:
            _log.warning("proposal_waits", proposal=proposal_id, code=error.code, detail=error.detail)

    def _in(self, proposal_id: str, *wanted: ProposalStatus) -> ProposalProgress:
        progress = self.board.progress(proposal_id)
        if progress.status not in wanted:
            raise Denied(SigningRefusal.WRONG_STATUS, f"{proposal_id} is {progress.status}")
        return progress

    async def _write(self, progress: ProposalProgress, facts: Sequence[msgspec.Struct], actor: str) -> None:
        events = tuple(codec.encode(fact, actor) for fact in facts)
        append = Append(proposal_stream(progress.proposal_id), events, progress.version)
        await self._journal.commit(Commit(appends=(append,)))
