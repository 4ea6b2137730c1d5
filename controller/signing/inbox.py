"""What boxes answer: opened by the box's own key, checked, and written down; one who sends something wrong is named."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from nacl.signing import VerifyKey

from controller.journal import Append, Commit, Journal
from controller.signing.approval import path_of
from controller.signing.arrival import checked_additions
from controller.signing.board import ProposalBoard
from controller.signing.event import AnswerBlamed, AnswerTaken, BoxRefused, codec, proposal_stream
from controller.signing.model import ProposalStatus, Round
from controller.signing.plan import is_musig
from controller.signing.ports import BoxAddress, Contract, ContractBook
from controller.signing.progress import ProposalProgress
from controller.signing.refusal import SigningRefusal
from controller.signing.request import proposal_of
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import BesError, Conflict, Denied, GatewayUnavailable, WireError
from shared.log import get_logger
from shared.wire.codec import decode
from shared.wire.envelope import Envelope
from shared.wire.signing import Packet, SigningAnswer, domain

_log = get_logger("signing.inbox")


class Asked(NamedTuple):
    """The question that an answer belongs to: of the present round, or one of an earlier round that is still open."""

    progress: ProposalProgress
    request_id: str
    party: str
    path: str
    kind: Round
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
        """Durable when it returns the proposal that was answered; None where the answer was none of ours.

        GatewayUnavailable before the node told its height, StorageError where it was not written: hand it in again.
        """
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
        if packet.kind != "answer":
            return None
        contract = self._contracts.contract(progress.proposal.contract_id)
        if contract is None:
            raise GatewayUnavailable(f"{progress.proposal_id}: no policy is known to be in force; the node tells more")
        boxes = {key_id(VerifyKey(box.public_key)): box for box in contract.boxes.values() if box.node == node}
        trusted = {name: VerifyKey(box.public_key) for name, box in boxes.items() if box.site == site}
        try:
            answer, signed_by = unseal(domain("answer"), packet.sealed, trusted, SigningAnswer)
        except WireError as error:
            _log.error("answer_foreign", site=site, node=node, rule=SigningRefusal.ANSWER_FOREIGN, detail=error.detail)
            return None
        asked = _asked(progress, contract, answer.request_id, boxes[signed_by[0]])
        if asked is None:
            return progress, None
        fact = judged(asked, answer)
        late = progress.asked(answer.request_id) is None
        return progress, None if late and isinstance(fact, AnswerBlamed) else fact


def _asked(progress: ProposalProgress, contract: Contract, request_id: str, box: BoxAddress) -> Asked | None:
    """What this box was asked and has not answered; None where nothing of the kind is open.

    Of earlier rounds a signature counts as well as a refusal; a partial signature fits its own round only, so of a late
    one only the refusal is heard.
    """
    request, round_ = progress.asked(request_id), progress.round
    if request is not None and round_ is not None:
        if request_id in round_.taken or request_id in round_.failed or (request.site, request.node) != _place(box):
            return None
        return Asked(progress, request_id, request.party, round_.path, round_.kind, contract, box)
    late = progress.open_requests.get(request_id)
    if late is None or progress.status not in (ProposalStatus.SIGNING, ProposalStatus.LAPSED):
        return None
    if contract.boxes.get(late.party) != box or late.party in progress.signatures.get(late.path, {}):
        return None
    kind = Round.PARTIAL if is_musig(contract, path_of(contract, late.path)) else Round.SIGN
    return Asked(progress, request_id, late.party, late.path, kind, contract, box)


def _place(box: BoxAddress) -> tuple[str, str]:
    return box.site, box.node


def judged(asked: Asked, answer: SigningAnswer) -> msgspec.Struct:
    """The fact that an answer amounts to; the box that sealed it stands behind every byte."""
    named = {
        "proposal_id": asked.progress.proposal_id,
        "request_id": asked.request_id,
        "party": asked.party,
        "box_id": asked.box.box_id,
    }
    if answer.outcome == "refused":
        return BoxRefused(**named, rule=answer.rule, detail=answer.detail)
    try:
        if answer.box_id != asked.box.box_id or answer.txid != asked.progress.proposal.txid:
            raise Denied(SigningRefusal.ANSWER_ALTERED, f"{answer.box_id} speaks of transaction {answer.txid}")
        if (answer.outcome == "nonce") != (asked.kind is Round.NONCE):
            raise Denied(SigningRefusal.ANSWER_ALTERED, f"it was asked for {asked.kind}, not {answer.outcome}")
        additions = checked_additions(
            asked.contract,
            asked.progress.proposal,
            asked.path,
            asked.party,
            asked.kind,
            answer.psbt,
            asked.progress.nonces,
        )
    except Denied as denied:
        return AnswerBlamed(**named, rule=denied.rule, detail=denied.detail)
    except BesError as error:
        return AnswerBlamed(**named, rule=SigningRefusal.ANSWER_MALFORMED, detail=str(error))
    return AnswerTaken(
        **named,
        path=asked.path,
        psbt=additions,
        ledger_seq=answer.ledger_seq,
        ledger_head=answer.ledger_head,
    )
