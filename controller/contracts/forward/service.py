"""What people, the other side, our box and the chain do to a forward. Every change is durable before it is answered."""

import asyncio
from functools import partial

import msgspec
from nacl.signing import SigningKey

from controller.contracts.book import ContractBook
from controller.contracts.forward.book import ForwardBook
from controller.contracts.forward.deals import Deals
from controller.contracts.forward.delivery import broadcast_effect, step_effect
from controller.contracts.forward.document import documents, opened_offer, opened_promise
from controller.contracts.forward.event import (
    AnyForwardEvent,
    ClosingReady,
    ForwardBoxAsked,
    ForwardBoxRefused,
    ForwardClosed,
    ForwardFunded,
    ForwardOpened,
    ForwardReorganised,
    OutcomeAttested,
    PromiseMade,
    StakeSigned,
    Step,
    TheirPromiseTaken,
    codec,
    forward_stream,
)
from controller.contracts.forward.model import Forward, ForwardPhase, evolve
from controller.contracts.forward.ports import BoxWord, ForwardChain
from controller.contracts.forward.refusal import ForwardRefusal
from controller.contracts.forward.word import deed_signed, enough_approve, funding_word, whole_deed
from controller.contracts.model import Contract
from controller.contracts.service import SAFE_DEPTH
from controller.contracts.template.forward import HashrateForward
from controller.journal import Append, Commit, Journal, SideEffect
from shared.clock import Clock
from shared.errors import Denied
from shared.forward.digits import bounds
from shared.forward.oracle import announced, check_outcome, check_refund
from shared.forward.settlement import Deal, stake_sat
from shared.wire.contract import Approval, KeyRole, SpendingPolicy
from shared.wire.forward import ForwardOffer, ForwardTerms, Side, offer_digest, other

ACTOR = "controller"
REQUEST_MS = 24 * 3_600_000
REMIND_MS = 600_000


class ForwardService:
    """`Denied` carries the rule's id of every refusal; Conflict tells that somebody else wrote first.

    `book` is the read model; the caller asks `observe` whenever the chain has moved.
    """

    def __init__(
        self, journal: Journal, contracts: ContractBook, chain: ForwardChain, desk: SigningKey, clock: Clock
    ) -> None:
        self.book = ForwardBook()
        self._journal = journal
        self._contracts = contracts
        self._chain = chain
        self._desk = desk
        self._clock = clock
        self._deals = Deals()
        journal.subscribe(self.book.fold)

    def terms(self, contract_id: str) -> ForwardTerms:
        """As our contract has them. Denied `forward.no-forward` for a contract of another form."""
        contract = self._contracts.get(contract_id)
        if contract.terms.template != HashrateForward.__struct_config__.tag:
            raise Denied(ForwardRefusal.NO_FORWARD, f"contract {contract_id[:12]} is a {contract.terms.template}")
        return msgspec.json.decode(contract.parameters, type=HashrateForward).terms(contract.terms)

    def name(self, contract_id: str) -> str:
        """As people know the contract."""
        return self._contracts.get(contract_id).terms.name

    async def offer(
        self, contract_id: str, side: Side, stake: str, announcement: bytes, their_desk: bytes, *, actor: str
    ) -> Forward:
        """Begin as the one who offers; `stake` is the coin (`txid:vout`) that our side has paid to its own key."""
        terms = self._to_begin(contract_id)
        offer = ForwardOffer(terms=terms, announcement=announcement, side=side, stake=stake)
        return await self._open(contract_id, offer, side=side, our_stake=stake, their_desk=their_desk, actor=actor)

    async def take_offer(
        self, contract_id: str, stake: str, document: bytes, their_desk: bytes, *, actor: str
    ) -> Forward:
        """Begin with the other side's offer; Denied `forward.other-terms` where it is not what our contract says."""
        terms = self._to_begin(contract_id)
        offer = opened_offer(document, their_desk, terms)
        side = other(offer.side)
        return await self._open(contract_id, offer, side=side, our_stake=stake, their_desk=their_desk, actor=actor)

    async def take_promise(self, contract_id: str, document: bytes, *, actor: str) -> Forward:
        """Their accept or sign document. Every promise in it is verified; Denied `forward.bad-adaptor` names the first
        outcome that could not be enforced.
        """
        state = self.book.get(contract_id)
        promise = opened_promise(state, document)
        fact = TheirPromiseTaken(
            contract_id=contract_id,
            stake=promise.stake,
            adaptors=promise.adaptors,
            refund=promise.refund,
            funding=promise.funding,
        )
        after = evolve(state, fact)
        await asyncio.to_thread(self._deals.check_promise, after)
        await self._write(state, fact, actor=actor)
        return await self.step(contract_id)

    async def sign_deed(self, contract_id: str, sealed: bytes, *, actor: str) -> Forward:
        state = self.book.get(contract_id)
        await self._write(state, deed_signed(state, sealed, await self._policy(contract_id)), actor=actor)
        return await self.step(contract_id)

    async def word(self, contract_id: str, sealed: bytes, *, actor: str) -> Forward:
        """A person proposes the funding, or approves it."""
        state, policy = self.book.get(contract_id), await self._policy(contract_id)
        expected = await self.approval(contract_id, "approver", "")
        await self._write(state, funding_word(state, sealed, expected, policy), actor=actor)
        return await self.step(contract_id)

    async def approval(self, contract_id: str, role: KeyRole, initiator: str) -> Approval:
        """What a person signs for the funding: our whole stake may be lost by it."""
        state = self.book.get(contract_id)
        if not state.their_stake:
            raise Denied(ForwardRefusal.WRONG_PHASE, "the other side has not named its stake yet")
        told, policy = state.opened, await self._policy(contract_id)
        return Approval(
            contract_id=contract_id,
            network=told.terms.network,
            policy_version=policy.policy_version,
            txid=self._deals.of(state).funding.txid,
            external_sat=stake_sat(told.terms, told.side),
            expiry_height=told.terms.settle_height,
            role=role,
            initiator=initiator,
        )

    async def attest(self, contract_id: str, attestation: bytes, *, actor: str) -> Forward:
        """The oracle's word. It is compared with the header at the height; Denied `forward.oracle-lies`."""
        state = self.book.get(contract_id)
        attested = self._deals.attested(state, attestation)
        terms = state.opened.terms
        bits = await self._chain.bits_at(terms.settle_height)
        if bits is None:
            raise Denied(ForwardRefusal.WRONG_PHASE, f"block {terms.settle_height:,} is not in the chain yet")
        check_outcome(terms, attested, bits)
        outcome, _ = bounds(attested.digits, base=terms.base, nb_digits=terms.nb_digits)
        await self._write(state, OutcomeAttested(contract_id, attestation, outcome), actor=actor)
        return await self.step(contract_id)

    async def take_back(self, contract_id: str, *, actor: str) -> Forward:
        """Ask our box to take a stake back that is in no funding; the owners' deed is enough for it."""
        state = self.book.get(contract_id)
        if state.funded_height is not None or whole_deed(state, await self._policy(contract_id)) is None:
            raise Denied(ForwardRefusal.WRONG_PHASE, "a stake comes back by a sealed deed, and before it is funded")
        return await self._ask(state, "return", actor=actor)

    async def ask_again(self, contract_id: str, *, actor: str) -> Forward:
        """The step that the box refused last, once more: after a cause that was mended."""
        state = self.book.get(contract_id)
        if state.refused is None:
            raise Denied(ForwardRefusal.WRONG_PHASE, "the box has refused nothing")
        return await self._ask(state, state.refused.step, actor=actor)

    async def box_said(self, word: BoxWord) -> Forward:
        """An answer that is known already, or of a step that is over, changes nothing."""
        state = self.book.get(word.contract_id)
        asked = state.asked.get(word.step)
        if asked is None or asked.attempt != word.attempt or not state.waits(word.step):
            return state
        fact = self._fact(state, word)
        try:
            await self._write(state, fact, actor=word.box_id)
        except Denied as denied:
            if denied.rule != ForwardRefusal.WRONG_PHASE:
                raise
            return state  # told twice
        return await self.step(word.contract_id)

    async def step(self, contract_id: str) -> Forward:
        """Whatever can be done now without anybody's word."""
        state, policy = self.book.get(contract_id), await self._policy(contract_id)
        if state.phase is ForwardPhase.SIGNED and state.theirs is not None and state.theirs.funding:
            return await self._fund(state)
        step = _due(state, policy)
        asked = None if step is None else state.asked.get(step)
        if step is None or asked is None:
            return state if step is None else await self._ask(state, step, actor=ACTOR)
        if state.waits(step):
            await self._remind(asked)
        return state

    async def observe(self, contract_id: str) -> Forward:
        """Compare a forward with the chain: funded, gone again, refundable, closed by either side, deep enough."""
        state = self.book.get(contract_id)
        if state.phase is ForwardPhase.CLOSED:
            return state
        if state.phase in (ForwardPhase.OFFERED, ForwardPhase.AGREED, ForwardPhase.PROMISED, ForwardPhase.EXCHANGED):
            return state if state.closing is None else await self._watch_closing(state)
        if state.closing is not None:
            return await self._watch_closing(state)
        return await self._watch_funding(state)

    def documents(self, contract_id: str) -> dict[str, bytes]:
        """What we have to send, by name."""
        return documents(self.book.get(contract_id), self._desk)

    def owners_needed(self, contract_id: str) -> int:
        """Of whom each signs the deed, by the newest policy."""
        return self._contracts.get(contract_id).policies[-1].policy.owners_needed

    def deal(self, contract_id: str) -> Deal:
        return self._deals.of(self.book.get(contract_id))

    def _to_begin(self, contract_id: str) -> ForwardTerms:
        terms = self.terms(contract_id)
        if self.book.find(contract_id) is not None:
            raise Denied(ForwardRefusal.EXISTS, "this contract has its forward; another one is another contract")
        if not self._contracts.get(contract_id).policies:
            raise Denied(ForwardRefusal.WRONG_PHASE, "the box has to register the contract first")
        return terms

    async def _open(
        self, contract_id: str, offer: ForwardOffer, *, side: Side, our_stake: str, their_desk: bytes, actor: str
    ) -> Forward:
        offered = offer.side == side
        fact = ForwardOpened(
            contract_id=contract_id,
            side=side,
            offered=offered,
            terms=offer.terms,
            announcement=offer.announcement,
            our_stake=our_stake,
            their_stake="" if offered else offer.stake,
            their_desk=their_desk,
            offer=offer_digest(offer),
        )
        event = announced(offer.terms, offer.announcement)
        check_refund(offer.terms, event.maturity_s, await self._chain.height(), self._clock.now_ms() // 1_000)
        append = Append(forward_stream(contract_id), (codec.encode(fact, actor),), 0)
        await self._journal.commit(Commit(appends=(append,)))
        return self.book.get(contract_id)

    async def _policy(self, contract_id: str) -> SpendingPolicy:
        contract: Contract = self._contracts.get(contract_id)
        in_force = contract.policy_at(await self._chain.height())
        if in_force is None:
            raise Denied(ForwardRefusal.WRONG_PHASE, "no policy of this contract is in force yet")
        return in_force.policy

    async def _ask(self, state: Forward, step: Step, *, actor: str) -> Forward:
        before = state.asked.get(step)
        asked = ForwardBoxAsked(
            contract_id=state.contract_id,
            step=step,
            attempt=before.attempt + 1 if before else 1,
            expires_at_ms=self._clock.now_ms() + REQUEST_MS,
            expires_at_height=state.opened.terms.refund_height + REQUEST_MS // 600_000,
        )
        return await self._write(state, asked, actor=actor, effects=(step_effect(asked),))

    async def _remind(self, asked: ForwardBoxAsked) -> None:
        """What the box has not answered for long is sent once more: the same request, which has one answer."""
        reminder = (self._clock.now_ms() - (asked.expires_at_ms - REQUEST_MS)) // REMIND_MS
        if reminder > 0:
            await self._journal.commit(Commit(effects=(step_effect(asked, reminder),)))

    def _fact(self, state: Forward, word: BoxWord) -> AnyForwardEvent:
        if word.rule:
            return ForwardBoxRefused(word.contract_id, word.step, word.attempt, word.rule, word.detail)
        match word.step:
            case "promise":
                return PromiseMade(word.contract_id, word.adaptors, word.signature)
            case "fund":
                return StakeSigned(word.contract_id, word.signature)
            case "settle":
                return self._deals.settlement(state, word.signature)
            case "return":
                return self._deals.way_back(state, word.signature)

    async def _fund(self, state: Forward) -> Forward:
        ready = self._deals.funding(state)
        effect = broadcast_effect(state.contract_id, ready.raw, self._deals.of(state).funding.txid, 0)
        return await self._write(state, ready, actor=ACTOR, effects=(effect,))

    async def _watch_funding(self, state: Forward) -> Forward:
        deal, height = self._deals.of(state), await self._chain.height()
        block = await self._chain.height_of(deal.funding.txid)
        if block is None:
            if state.funded_height is not None:
                return await self._write(state, ForwardReorganised(state.contract_id), actor=ACTOR)
            if state.funding_raw:
                await self._tell_again(state.contract_id, state.funding_raw, deal.funding.txid, height)
            return self.book.get(state.contract_id)
        if state.funded_height is None:
            state = await self._write(state, ForwardFunded(state.contract_id, block), actor=ACTOR)
        found = await self._ended_by_them(state, deal)
        if found is not None:
            return await self._write(state, found, actor=ACTOR)
        if state.attested is None and height >= state.opened.terms.refund_height:
            return await self._write(state, self._deals.refund(state), actor=ACTOR)
        return state

    async def _ended_by_them(self, state: Forward, deal: Deal) -> ClosingReady | None:
        """Where the coin is gone without us: which of the known endings it was."""
        if await self._chain.unspent(self._contracts.get(state.contract_id).terms):
            return None
        endings = {one.transaction.txid for one in deal.settlements}
        for txid in (deal.refund.txid, *sorted(endings)):
            if await self._chain.height_of(txid) is not None:
                kind = partial(ClosingReady, state.contract_id)
                return kind("refund" if txid == deal.refund.txid else "settlement", txid, b"")
        return None

    async def _watch_closing(self, state: Forward) -> Forward:
        assert state.closing is not None
        block, height = await self._chain.height_of(state.closing.txid), await self._chain.height()
        if block is not None:
            if height - block + 1 < SAFE_DEPTH:
                return state
            return await self._write(state, ForwardClosed(state.contract_id, block), actor=ACTOR)
        funded = await self._chain.height_of(self._deals.of(state).funding.txid) if state.funded_height else None
        if state.funded_height is not None and funded is None:
            return await self._write(state, ForwardReorganised(state.contract_id), actor=ACTOR)
        if state.closing.raw:
            await self._tell_again(state.contract_id, state.closing.raw, state.closing.txid, height)
        return self.book.get(state.contract_id)

    async def _tell_again(self, contract_id: str, raw: bytes, txid: str, height: int) -> None:
        """Once a block: a node that has it already says so, and one that lost it gets it again."""
        await self._journal.commit(Commit(appends=(), effects=(broadcast_effect(contract_id, raw, txid, height),)))

    async def _write(
        self, state: Forward, fact: AnyForwardEvent, *, actor: str, effects: tuple[SideEffect, ...] = ()
    ) -> Forward:
        """Only what the state machine takes, and only onto the state that the decision was made on."""
        evolve(state, fact)
        if isinstance(fact, ClosingReady) and fact.raw and not effects:
            effects = (broadcast_effect(state.contract_id, fact.raw, fact.txid, 0),)
        append = Append(forward_stream(state.contract_id), (codec.encode(fact, actor),), state.version)
        await self._journal.commit(Commit(appends=(append,), effects=effects))
        return self.book.get(state.contract_id)


def _due(state: Forward, policy: SpendingPolicy) -> Step | None:
    """What the box can do now."""
    ready = whole_deed(state, policy) is not None and enough_approve(state, policy)
    match state.phase:
        case ForwardPhase.AGREED if ready:
            return "promise"
        case ForwardPhase.EXCHANGED if state.opened.offered or (state.theirs is not None and state.theirs.funding):
            return "fund"
        case ForwardPhase.ATTESTED:
            return "settle"
    return None
