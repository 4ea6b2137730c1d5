"""What boxes answer: opened by the box's own key, checked, and written down; one who sends something wrong is named."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from nacl.signing import VerifyKey

from controller.journal import Append, Commit, Journal
from controller.signing.arrival import checked_additions
from controller.signing.board import ProposalBoard
from controller.signing.event import AnswerBlamed, AnswerTaken, BoxRefused, codec, proposal_stream
from controller.signing.model import AskedBox, Round
from controller.signing.ports import BoxAddress, Contract, ContractBook
from controller.signing.progress import ProposalProgress, SigningRound
from controller.signing.refusal import SigningRefusal
from controller.signing.request import proposal_of
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import BesError, Conflict, Denied, WireError
from shared.log import get_logger
from shared.wire.codec import decode
from shared.wire.envelope import Envelope
from shared.wire.signing import Packet, SigningAnswer, domain

_log = get_logger("signing.inbox")


class Asked(NamedTuple):
    """The open question that an answer belongs to."""

    progress: ProposalProgress
    round: SigningRound
    request: AskedBox
    contract: Contract
    box: BoxAddress


class AnswerInbox:
    """Idempotent: an answer that arrives twice is written once. Nothing is believed before its seal is checked."""

    def __init__(self, journal: Journal, board: ProposalBoard, contracts: ContractBook) -> None:
        self._journal = journal
        self._board = board
        self._contracts = contracts
        self.refused = 0

    async def handle(self, site: str, node: str, packet: bytes) -> str | None:
        """Durable when it returns the proposal that was answered; None where the answer was none of ours."""
        while True:
            taken = self._read(site, node, packet)
            if taken is None:
                self.refused += 1
                return None
            progress, fact = taken
            if fact is None:
                return progress.proposal_id
            event = codec.encode(fact, f"node {site}/{node}")
            append = Append(proposal_stream(progress.proposal_id), (event,), progress.version)
            try:
                await self._journal.commit(Commit(appends=(append,)))
            except Conflict:  # somebody wrote first: the question may have been settled
                continue
            return progress.proposal_id

    def _read(self, site: str, node: str, raw: bytes) -> tuple[ProposalProgress, msgspec.Struct | None] | None:
        try:
            packet = decode(raw, Packet)
        except WireError as error:
            _log.warning("answer_unreadable", site=site, node=node, detail=error.detail)
            return None
        for progress in self._named(packet):
            return self._answered(progress, site, node, packet)
        _log.warning("answer_unasked", site=site, node=node, rule=SigningRefusal.ANSWER_UNASKED)
        return None

    def _named(self, packet: Packet) -> Sequence[ProposalProgress]:
        """The open proposal that the answer claims to be for. Which box says so is checked afterwards."""
        try:
            claimed = decode(decode(packet.sealed, Envelope).payload, SigningAnswer)
        except WireError:
            return ()
        proposal_id = proposal_of(claimed.request_id)
        progress = self._board.find(proposal_id) if proposal_id else None
        return () if progress is None or progress.over else (progress,)

    def _answered(
        self, progress: ProposalProgress, site: str, node: str, packet: Packet
    ) -> tuple[ProposalProgress, msgspec.Struct | None] | None:
        contract = self._contracts.contract(progress.proposal.contract_id)
        if contract is None or packet.kind != "answer":
            return None
        boxes = {key_id(VerifyKey(box.public_key)): box for box in contract.boxes.values() if box.node == node}
        trusted = {name: VerifyKey(box.public_key) for name, box in boxes.items() if box.site == site}
        try:
            answer, signed_by = unseal(domain("answer"), packet.sealed, trusted, SigningAnswer)
        except WireError as error:
            _log.error("answer_foreign", site=site, node=node, rule=SigningRefusal.ANSWER_FOREIGN, detail=error.detail)
            return None
        request, round_ = progress.asked(answer.request_id), progress.round
        if request is None or round_ is None or (request.site, request.node) != (site, node):
            return progress, None  # of a round that is over
        if answer.request_id in round_.taken or answer.request_id in round_.failed:
            return progress, None
        return progress, judged(Asked(progress, round_, request, contract, boxes[signed_by[0]]), answer)


def judged(asked: Asked, answer: SigningAnswer) -> msgspec.Struct:
    """The fact that an answer amounts to; the box that sealed it stands behind every byte."""
    named = {
        "proposal_id": asked.progress.proposal_id,
        "request_id": asked.request.request_id,
        "party": asked.request.party,
        "box_id": asked.box.box_id,
    }
    if answer.outcome == "refused":
        return BoxRefused(**named, rule=answer.rule, detail=answer.detail)
    try:
        if answer.box_id != asked.box.box_id or answer.txid != asked.progress.proposal.txid:
            raise Denied(SigningRefusal.ANSWER_ALTERED, f"{answer.box_id} speaks of transaction {answer.txid}")
        if (answer.outcome == "nonce") != (asked.round.kind is Round.NONCE):
            raise Denied(SigningRefusal.ANSWER_ALTERED, f"it was asked for {asked.round.kind}, not {answer.outcome}")
        additions = checked_additions(
            asked.contract,
            asked.progress.proposal,
            asked.round.path,
            asked.request.party,
            asked.round.kind,
            answer.psbt,
            asked.progress.nonces,
        )
    except Denied as denied:
        return AnswerBlamed(**named, rule=denied.rule, detail=denied.detail)
    except BesError as error:
        return AnswerBlamed(**named, rule=SigningRefusal.ANSWER_MALFORMED, detail=str(error))
    return AnswerTaken(
        **named,
        path=asked.round.path,
        psbt=additions,
        ledger_seq=answer.ledger_seq,
        ledger_head=answer.ledger_head,
    )
