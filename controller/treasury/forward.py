"""What console and API ask about forwards. Fills `controller.views.ports.ForwardDesk`."""

import re

from controller.contracts.forward import Forward, ForwardPhase, ForwardService
from controller.people.model import Actor, Permission
from controller.treasury.forward_terms import terms_view
from controller.views.forward import ForwardTermsView, ForwardView, OfferWish, StakeView, TakeOfferWish
from shared.bitcoin.address import address_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.crypto.keys import parse_public
from shared.errors import Malformed, NotFound
from shared.forward.settlement import stake_sat
from shared.wire.codec import encode
from shared.wire.forward import Side

_STAKE = re.compile(r"[0-9a-f]{64}:[0-9]{1,5}")
_AWAITED = {
    ForwardPhase.OFFERED: "the other side's accept document",
    ForwardPhase.AGREED: "the owners' deed, a proposal and approvals, then our box",
    ForwardPhase.PROMISED: "the other side's sign document",
    ForwardPhase.EXCHANGED: "our box, which signs our stake in",
    ForwardPhase.SIGNED: "the other side, which broadcasts; take the stake back where it does not",
    ForwardPhase.BROADCAST: "a block",
    ForwardPhase.FUNDED: "the oracle's word at the settlement height, or the refund height",
    ForwardPhase.ATTESTED: "our box, which signs the settlement",
    ForwardPhase.CLOSING: "depth",
    ForwardPhase.CLOSED: "nothing",
}


class ForwardDesk:
    def __init__(self, service: ForwardService) -> None:
        self._service = service

    def forward(self, contract_id: str) -> ForwardView:
        return self._shown(self._service.book.get(contract_id))

    def find(self, contract_id: str) -> ForwardView | None:
        found = self._service.book.find(contract_id)
        return None if found is None else self._shown(found)

    def terms(self, contract_id: str) -> ForwardTermsView:
        return terms_view(contract_id, self._service.name(contract_id), self._service.terms(contract_id))

    def stake(self, contract_id: str, side: str) -> StakeView:
        terms, named = self._service.terms(contract_id), _side(side)
        address = address_of(p2wpkh(terms.key(named)), Network(terms.network))
        return StakeView(side=named, address=str(address), amount_sat=stake_sat(terms, named))

    async def offer(self, contract_id: str, wish: OfferWish, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        desk = parse_public(wish.their_desk).encode()
        stake, side = _stake(wish.stake), _side(wish.side)
        return self._shown(
            await self._service.offer(contract_id, side, stake, wish.announcement, desk, actor=actor.name)
        )

    async def take_offer(self, contract_id: str, wish: TakeOfferWish, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        desk = parse_public(wish.their_desk).encode()
        taken = await self._service.take_offer(contract_id, _stake(wish.stake), wish.offer, desk, actor=actor.name)
        return self._shown(taken)

    async def take_promise(self, contract_id: str, document: bytes, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        return self._shown(await self._service.take_promise(contract_id, document, actor=actor.name))

    def document(self, contract_id: str, name: str, actor: Actor) -> bytes:
        """Needs the permission to spend, because whoever has the sign document may fund. NotFound."""
        actor.require(Permission.SPEND)
        found = self._service.documents(contract_id).get(name)
        if found is None:
            raise NotFound(f"there is no document {name!r} to send in this phase")
        return found

    async def sign_deed(self, contract_id: str, sealed: bytes, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        return self._shown(await self._service.sign_deed(contract_id, sealed, actor=actor.name))

    async def to_sign(self, contract_id: str, person: str, actor: Actor) -> bytes:
        """What this person of the policy signs for the funding: the proposal, or an approval of it."""
        actor.require(Permission.SPEND)
        proposal = self._service.book.get(contract_id).proposal
        if proposal is None:
            return encode(await self._service.approval(contract_id, "proposer", person))
        return encode(await self._service.approval(contract_id, "approver", proposal.person))

    async def word(self, contract_id: str, sealed: bytes, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        return self._shown(await self._service.word(contract_id, sealed, actor=actor.name))

    async def attest(self, contract_id: str, attestation: bytes, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        return self._shown(await self._service.attest(contract_id, attestation, actor=actor.name))

    async def take_back(self, contract_id: str, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        return self._shown(await self._service.take_back(contract_id, actor=actor.name))

    async def ask_again(self, contract_id: str, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        return self._shown(await self._service.ask_again(contract_id, actor=actor.name))

    def _shown(self, state: Forward) -> ForwardView:
        told, refused, closing = state.opened, state.refused, state.closing
        return ForwardView(
            contract_id=state.contract_id,
            side=told.side,
            phase=state.phase.value,
            awaited=_AWAITED[state.phase],
            offered=told.offered,
            event_id=told.terms.event_id,
            settle_height=told.terms.settle_height,
            refund_height=told.terms.refund_height,
            our_stake=told.our_stake,
            their_stake=state.their_stake,
            stake_sat=stake_sat(told.terms, told.side),
            funding_txid=self._service.deal(state.contract_id).funding.txid if state.their_stake else None,
            deed_to_sign=encode(state.deed),
            deed_signed=len(state.deed_signatures),
            deed_needed=self._service.owners_needed(state.contract_id),
            proposed_by=state.proposal.person if state.proposal else "",
            approved_by=tuple(sorted(state.approvals)),
            documents=tuple(self._service.documents(state.contract_id)),
            refused_by=refused.rule if refused else "",
            refused=refused.detail if refused else "",
            trouble=state.trouble,
            outcome=state.attested.outcome if state.attested else None,
            closing=closing.kind if closing else "",
            closing_txid=closing.txid if closing else "",
        )


def _side(text: str) -> Side:
    match text:
        case "miner" | "buyer":
            return text
    raise Malformed(f"side: {text!r} is neither miner nor buyer")


def _stake(text: str) -> str:
    if not _STAKE.fullmatch(text):
        raise Malformed(f"stake: {text!r} is no coin; name it as txid:vout")
    return text
