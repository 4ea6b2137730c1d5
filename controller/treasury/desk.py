"""What console and API ask of the treasury. Fills `controller.views.ports.TreasuryDesk`."""

import asyncio
from collections.abc import Sequence

from controller.contracts.calendar import refreshes
from controller.contracts.compiled import Compiled
from controller.contracts.proofs import ClaimKeeper
from controller.contracts.revision import revised
from controller.contracts.route import routes
from controller.contracts.service import ContractService
from controller.contracts.template.payout import RevenueSplit
from controller.gateways.bitcoind.treasury import TreasuryChain
from controller.people.model import Actor, Permission
from controller.signing.control import ControlRequest
from controller.signing.model import Payment, Person, ProposalStatus
from controller.signing.progress import ProposalProgress
from controller.signing.service import SigningService
from controller.signing.spending import SpendingRequest, descriptor_of
from controller.treasury.boxes import BoxDirectory
from controller.treasury.form import ContractForm, filled_in, read, read_policy
from controller.treasury.recovery import LedgerRecovery
from controller.treasury.refusal import TreasuryRefusal
from controller.treasury.view import (
    box_view,
    claim_view,
    contract_view,
    draft_view,
    meter_view,
    policy_view,
    proposal_view,
    restart_view,
    summary_of,
)
from controller.views.treasury import (
    ClaimView,
    ContractView,
    ControlWish,
    DraftView,
    PaymentView,
    PolicyView,
    ProofsView,
    ProposalView,
    ReceiveView,
    RefreshWish,
    RestartView,
    SpendingWish,
    TreasuryState,
)
from shared.bitcoin.network import Network
from shared.errors import Denied, GatewayError, Malformed
from shared.wire.codec import encode

RECEIVING = 0
FORWARD = "hashrate-forward"
SAT_KVB_PER_SAT_VB = 1_000
DERIVED_BY = ("btclib", "rust-miniscript (bdk)")
"""`Descriptor.derive` raises where these two come to different scripts."""


class Desk:
    def __init__(
        self,
        network: Network,
        contracts: ContractService,
        signing: SigningService,
        chain: TreasuryChain,
        boxes: BoxDirectory,
        claims: ClaimKeeper,
        recovery: LedgerRecovery,
    ) -> None:
        self._claims = claims
        self._network = network
        self._contracts = contracts
        self._signing = signing
        self._chain = chain
        self._boxes = boxes
        self._recovery = recovery
        self.node_trouble = ""
        """Why the node will not do, as its last check told; empty where it will."""

    async def state(self) -> TreasuryState:
        height, trouble = None, self.node_trouble
        try:
            height = await self._chain.height()
        except GatewayError as error:
            trouble = error.detail
        contracts = [
            summary_of(contract, await self._balance(contract.contract_id), height, self._open(contract.contract_id))
            for contract in self._contracts.book.listed()
        ]
        return TreasuryState(
            network=self._network.value,
            height=height,
            trouble=trouble,
            boxes=tuple(map(box_view, self._boxes.listed())),
            contracts=tuple(contracts),
            proposals=tuple(self._shown(progress) for progress in self._signing.board.open()),
        )

    async def contract(self, contract_id: str) -> ContractView:
        found = self._contracts.book.get(contract_id)
        try:
            coins, height = await self._chain.unspent(found.terms), await self._chain.height()
        except GatewayError:
            return contract_view(found, None, None, self._open(contract_id))
        return contract_view(found, coins, height, self._open(contract_id))

    async def receive(self, contract_id: str, actor: Actor) -> ReceiveView:
        actor.require(Permission.SPEND)
        found = self._contracts.book.get(contract_id)
        if not found.policies:
            raise Denied(
                TreasuryRefusal.NOT_REGISTERED, "no address is given out before every box has registered the contract"
            )
        if found.terms.template == FORWARD:
            raise Denied(
                TreasuryRefusal.NO_ADDRESS,
                "a forward is paid in by its funding transaction, once both sides hold all promises of the other",
            )
        index = await self._chain.next_index(found.terms, RECEIVING)
        return ReceiveView(
            contract_id=contract_id,
            address=descriptor_of(found.terms.descriptor, found.terms.network).address(RECEIVING, index),
            branch=RECEIVING,
            index=index,
            descriptor=found.terms.descriptor,
            derived_by=DERIVED_BY,
        )

    async def preview(self, document: bytes, actor: Actor) -> DraftView:
        actor.require(Permission.SPEND)
        form = read(document)
        return draft_view(await self._compiled(form))

    async def draft(self, document: bytes, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        form = read(document)
        compiled = await self._compiled(form)
        drafted = await self._contracts.draft(compiled, form.boxes, actor=actor.name, succeeds=form.succeeds)
        return await self.contract(drafted.contract_id)

    async def preview_policy(self, contract_id: str, document: bytes, actor: Actor) -> PolicyView:
        actor.require(Permission.SPEND)
        return policy_view(revised(self._contracts.book.get(contract_id), read_policy(document).revision()))

    async def change_policy(self, contract_id: str, document: bytes, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        following = revised(self._contracts.book.get(contract_id), read_policy(document).revision())
        await self._contracts.draft_policy(following, actor=actor.name)
        return await self.contract(contract_id)

    async def withdraw_policy(self, contract_id: str, reason: str, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        await self._contracts.withdraw_policy(contract_id, reason, actor=actor.name)
        return await self.contract(contract_id)

    async def approve_policy(self, contract_id: str, sealed: bytes, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        await self._contracts.approve(contract_id, sealed, actor=actor.name)
        return await self.contract(contract_id)

    async def tell_boxes(self, contract_id: str, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        await self._contracts.ask_again(contract_id, actor=actor.name)
        return await self.contract(contract_id)

    def proposals(self, contract_id: str) -> tuple[ProposalView, ...]:
        self._contracts.book.get(contract_id)
        return tuple(map(self._shown, self._signing.board.listed(contract_id)))

    def proposal(self, proposal_id: str) -> ProposalView:
        return self._shown(self._signing.board.progress(proposal_id))

    async def propose(self, contract_id: str, wish: SpendingWish, actor: Actor) -> ProposalView:
        rate = wish.fee_rate_sat_vb
        request = SpendingRequest(
            contract_id=contract_id,
            path=wish.path,
            payments=tuple(Payment(one.address, one.amount_sat, one.name) for one in wish.payments),
            reason=wish.reason,
            fee_rate_sat_kvb=None if rate is None else rate * SAT_KVB_PER_SAT_VB,
            target_blocks=wish.target_blocks,
            expiry_blocks=wish.expiry_blocks,
            coins=wish.coins,
        )
        return self._shown(await self._signing.proposing.propose(request, _person(actor)))

    async def split(self, contract_id: str, amount_sat: int, actor: Actor) -> tuple[PaymentView, ...]:
        actor.require(Permission.SPEND)
        found, height = self._contracts.book.get(contract_id), await self._chain.height()
        template, in_force = filled_in(found.parameters), found.policy_at(height)
        if not isinstance(template, RevenueSplit) or in_force is None:
            raise Denied(TreasuryRefusal.NO_SHARES, f"{found.terms.name} has no shares in force; name each payment")
        listed = {one.name: one.address for one in in_force.policy.allow_list}
        if gone := [share.payee for share in template.shares if share.payee not in listed]:
            detail = f"{gone[0]!r} is not in the allow-list any more; put it back, or name each payment"
            raise Denied(TreasuryRefusal.NO_SHARES, detail)
        return tuple(PaymentView(listed[payee], part_sat, payee) for payee, part_sat in template.parts(amount_sat))

    async def prove(self, contract_id: str, wish: ControlWish, actor: Actor) -> ProposalView:
        request = ControlRequest(
            contract_id=contract_id,
            path=wish.path,
            branch=wish.branch,
            index=wish.index,
            message=wish.message,
            reason=wish.reason,
            expiry_blocks=wish.expiry_blocks,
        )
        return self._shown(await self._signing.proposing.prove(request, _person(actor)))

    async def refresh(self, contract_id: str, wish: RefreshWish, actor: Actor) -> ProposalView:
        person, found = _person(actor), self._contracts.book.get(contract_id)
        height, reserved = await self._chain.height(), self._signing.board.reserved()
        coins = [one for one in await self._chain.unspent(found.terms) if (one.txid, one.vout) not in reserved]
        in_force = found.policy_at(height)
        if in_force is None:
            raise Denied(TreasuryRefusal.NOT_REGISTERED, "no policy of this contract is in force yet")
        descriptor = descriptor_of(found.terms.descriptor, found.terms.network)
        due = refreshes(
            routes(found.terms.descriptor, found.terms.parties),
            coins,
            height,
            script=descriptor.derive(descriptor.change_branch, 0).script,
            fee_rate_sat_vb=wish.fee_rate_sat_vb,
            limits=in_force.policy.limits,
        )
        if not due:
            raise Denied(TreasuryRefusal.NOTHING_DUE, "no free coin of this contract is due for a refresh")
        request = SpendingRequest(
            contract_id=contract_id,
            path=due[0].cost.path,
            payments=(),
            reason=wish.reason,
            fee_rate_sat_kvb=wish.fee_rate_sat_vb * SAT_KVB_PER_SAT_VB,
            coins=tuple((coin.txid, coin.vout) for coin in due[0].coins),
        )
        return self._shown(await self._signing.proposing.propose(request, person))

    async def seal(self, proposal_id: str, sealed: bytes, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        return self._shown(await self._signing.seal(proposal_id, sealed))

    async def approve(self, proposal_id: str, sealed: bytes, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        return self._shown(await self._signing.approve(proposal_id, sealed))

    async def cancel(self, proposal_id: str, reason: str, actor: Actor) -> ProposalView:
        await self._signing.cancel(proposal_id, _person(actor), reason)
        return self.proposal(proposal_id)

    async def replace(self, proposal_id: str, fee_rate_sat_vb: int, reason: str, actor: Actor) -> ProposalView:
        rate = fee_rate_sat_vb * SAT_KVB_PER_SAT_VB
        return self._shown(await self._signing.proposing.replace(proposal_id, rate, _person(actor), reason))

    async def help(self, proposal_id: str, fee_rate_sat_vb: int, reason: str, actor: Actor) -> ProposalView:
        rate = fee_rate_sat_vb * SAT_KVB_PER_SAT_VB
        return self._shown(await self._signing.proposing.help(proposal_id, rate, _person(actor), reason))

    async def ask_again(self, proposal_id: str, actor: Actor) -> ProposalView:
        return self._shown(await self._signing.ask_again(proposal_id, _person(actor)))

    def restart_document(self, box_id: str, actor: Actor) -> RestartView:
        actor.require(Permission.SPEND)
        return restart_view(self._recovery.document(box_id))

    async def restart_box(self, box_id: str, sealed: Sequence[bytes], actor: Actor) -> RestartView:
        actor.require(Permission.SPEND)
        return restart_view(await self._recovery.tell(box_id, sealed, actor.name))

    async def import_signatures(self, proposal_id: str, party: str, psbt: bytes, actor: Actor) -> ProposalView:
        return self._shown(await self._signing.import_signatures(proposal_id, party, psbt, _person(actor)))

    def proofs(self) -> ProofsView:
        kept, found = self._claims.book, self._signing.board
        asked = [one for contract in self._contracts.book.listed() for one in found.listed(contract.contract_id)]
        return ProofsView(
            meters=tuple(map(meter_view, kept.meters())),
            claims=tuple(map(claim_view, kept.claims())),
            controls=tuple(self._shown(one) for one in asked if one.proposal.message is not None),
        )

    def claim(self, claim_id: str) -> str:
        return self._claims.get(claim_id).fact.document

    async def keep_claim(self, document: bytes, actor: Actor) -> ClaimView:
        actor.require(Permission.SPEND)
        return claim_view(await self._claims.keep(document, actor=actor.name))

    async def _compiled(self, form: ContractForm) -> Compiled:
        """Off the event loop: a policy may take long to compile."""
        if form.agreement.network is not self._network:
            raise Malformed(f"body: this treasury is on {self._network.value}, not on {form.agreement.network.value}")
        for box_id in form.boxes:
            self._boxes.get(box_id)
        return await asyncio.to_thread(form.template.compile, form.agreement.agreement())

    async def _balance(self, contract_id: str) -> int | None:
        """None where the node cannot be asked; unknown is not zero."""
        terms = self._contracts.book.get(contract_id).terms
        try:
            return sum(coin.amount_sat for coin in await self._chain.unspent(terms))
        except GatewayError:
            return None

    def _open(self, contract_id: str) -> int:
        return sum(progress.proposal.contract_id == contract_id for progress in self._signing.board.open())

    def _shown(self, progress: ProposalProgress) -> ProposalView:
        contract = self._contracts.book.get(progress.proposal.contract_id)
        to_seal, to_sign = {}, None
        height, proposal_id = self._chain.known_height, progress.proposal_id
        if contract.may_propose and height is not None and contract.policy_at(height) is not None:
            if progress.status is ProposalStatus.PROPOSED:
                to_seal = {person: encode(one) for person, one in self._signing.to_seal(proposal_id).items()}
            elif progress.status is ProposalStatus.SEALED:
                to_sign = encode(self._signing.approval(proposal_id))
        return proposal_view(progress, contract, height, to_seal, to_sign)


def _person(actor: Actor) -> Person:
    actor.require(Permission.SPEND)
    if actor.program:
        raise Denied(TreasuryRefusal.PERSON_NEEDED, f"{actor.name} is a program; a person has to propose")
    return Person(actor.name, actor.key)
