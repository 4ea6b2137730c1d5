"""A treasury whose truth is known: two contracts, three boxes, payments at several steps. `switched` breaks it."""

from pathlib import Path

import msgspec

from controller.people.model import Actor, Permission
from controller.treasury.form import read, read_policy
from controller.treasury.view import draft_view
from controller.views.treasury import (
    AskedBoxView,
    ClaimView,
    ContractView,
    ControlView,
    ControlWish,
    DestinationView,
    DraftView,
    LimitsView,
    MeterView,
    PaymentView,
    PendingPolicy,
    PolicyView,
    ProofsView,
    ProposalView,
    ReceiveView,
    RefreshWish,
    SpendingWish,
    TreasuryState,
)
from shared.clock import Clock
from shared.errors import Denied, Malformed, NotFound
from tests.controller.console.fake_forward import FORWARD, FRESH
from tests.controller.console.treasury_truth import (
    APPROVAL,
    BURIED,
    DESCRIPTOR,
    DRAFT,
    HEIGHT,
    KRAKEN,
    PROPOSAL,
    PROVEN,
    REFUSED,
    SIGNS,
    STUCK,
    UNSEALED,
    VAULT,
    WAITS,
    boxes_view,
    drafted_view,
    payment_view,
    vault_view,
)


class FakeTreasury:
    """A file `no-node` in the folder `switches` is a node that cannot be asked."""

    def __init__(self, clock: Clock, switches: Path | None = None) -> None:
        self._clock = clock
        self._switches = switches
        self.now_ms = clock.now_ms()
        self.trouble = ""
        self.proposed: list[SpendingWish] = []
        self.sealed: list[bytes] = []
        self.proposers: list[bytes] = []
        self.raised: list[tuple[str, str, int, str]] = []
        self.files: list[tuple[str, bytes]] = []
        self.asked: list[str] = []
        self.wished: list[ControlWish] = []
        self.claims: list[ClaimView] = []
        self.meter = MeterView(
            site="west-1",
            meter="meter-site",
            interval_s=3600,
            node="edge-1",
            node_keys=("9d" * 32,),
            first_slot=472_224,
            last_slot=472_224 + 730,
            slots=729,
            missing=2,
        )
        self.drafted: list[bytes] = []
        self.payments = {
            one.proposal_id: one
            for one in (
                payment_view(self.now_ms, WAITS, "sealed", to_sign=APPROVAL, approved_by=("Ben",)),
                payment_view(
                    self.now_ms,
                    SIGNS,
                    "signing",
                    approved_by=("Ben", "Rosa"),
                    boxes=(
                        AskedBoxView(party="box one", node="edge-1", state="answered"),
                        AskedBoxView(
                            party="box two", node="edge-2", state="limit.window", detail="window of 144 blocks is spent"
                        ),
                        AskedBoxView(party="box three", node="edge-3", state="sent"),
                    ),
                ),
                payment_view(
                    self.now_ms,
                    REFUSED,
                    "refused",
                    approved_by=("Ben", "Rosa"),
                    rule="screening.sanctioned",
                    detail="the address stands on list 7 of 2026-11-20",
                ),
                payment_view(self.now_ms, STUCK, "broadcast", approved_by=("Ben", "Rosa"), replaces="p-first"),
                payment_view(self.now_ms, BURIED, "buried", approved_by=("Ben", "Rosa"), block_height=HEIGHT - 20),
            )
        }
        proof = msgspec.structs.replace(
            payment_view(self.now_ms, PROVEN, "proven", approved_by=("Ben", "Rosa")),
            payments=(),
            fee_sat=0,
            change_sat=0,
            message="auditor 7f3a, block 240,112: these coins are ours",
            control=ControlView(
                format="BIP-322 simple",
                network="regtest",
                contract="Cold reserve",
                address=KRAKEN,
                message="auditor 7f3a, block 240,112: these coins are ours",
                signature="smp" + "BQBHMEQC" * 30,
                height=HEIGHT,
                proven_at_ms=self.now_ms,
            ),
        )
        self.payments[PROVEN] = proof
        self.view = vault_view(self.now_ms)
        self.boxes = boxes_view(self.now_ms)

    @property
    def down(self) -> str:
        if self._switches is not None and (self._switches / "no-node").exists():
            return "http://node:18443: connection refused; is the node running?"
        return self.trouble

    # What is asked

    async def state(self) -> TreasuryState:
        ended = ("refused", "buried", "cancelled", "proven")
        return TreasuryState(
            network="regtest",
            height=None if self.down else HEIGHT,
            trouble=self.down,
            boxes=self.boxes,
            contracts=(
                (await self.contract(VAULT)).summary,
                (await self.contract(DRAFT)).summary,
            ),
            proposals=tuple(one for one in self.payments.values() if one.status not in ended),
        )

    async def contract(self, contract_id: str) -> ContractView:
        if contract_id == VAULT:
            view = self.view
        elif contract_id == DRAFT:
            view = drafted_view(self.view)
        elif contract_id in (FORWARD, FRESH):
            summary = msgspec.structs.replace(
                self.view.summary, contract_id=contract_id, name="Winter hedge", template="hashrate-forward"
            )
            view = msgspec.structs.replace(self.view, summary=summary)
        else:
            raise NotFound(f"no contract {contract_id!r}")
        if not self.down:
            return view
        unread = msgspec.structs.replace(view.summary, balance_sat=None)
        return msgspec.structs.replace(view, coins=None, summary=unread)

    def proofs(self) -> ProofsView:
        return ProofsView(
            meters=(self.meter,),
            claims=tuple(self.claims),
            controls=tuple(one for one in self.payments.values() if one.message is not None),
        )

    def claim(self, claim_id: str) -> str:
        return "{}"

    async def keep_claim(self, document: bytes, actor: Actor) -> ClaimView:
        actor.require(Permission.SPEND)
        if not document.startswith(b"{"):
            raise Malformed("this is no claim: hand in the file that 'bes claim prove' wrote")
        self.claims.append(
            ClaimView(
                claim_id=f"c{len(self.claims)}",
                sentence="meter-site at west-1: at most 120,000,000 Wh in slots 472224 to 472943 of 3600 s",
                site="west-1",
                meter="meter-site",
                slots=720,
                nonce="7f3a",
                expires="2027-01-31",
                node_key="9d" * 32,
                kept_by=actor.name,
                kept_at_ms=self.now_ms,
            )
        )
        return self.claims[-1]

    async def prove(self, contract_id: str, wish: ControlWish, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        self.wished.append(wish)
        return self.payments[PROVEN]

    async def split(self, contract_id: str, amount_sat: int, actor: Actor) -> tuple[PaymentView, ...]:
        actor.require(Permission.SPEND)
        first = amount_sat * 3 // 4
        return (
            PaymentView(KRAKEN, first, "Kraken deposit"),
            PaymentView("bcrt1q" + "z" * 38, amount_sat - first, "West Texas Power"),
        )

    async def receive(self, contract_id: str, actor: Actor) -> ReceiveView:
        actor.require(Permission.SPEND)
        await self.contract(contract_id)
        return ReceiveView(
            contract_id=contract_id,
            address=KRAKEN,
            branch=0,
            index=17,
            descriptor=DESCRIPTOR,
            derived_by=("btclib", "rust-miniscript (bdk)"),
        )

    def proposals(self, contract_id: str) -> tuple[ProposalView, ...]:
        return tuple(one for one in self.payments.values() if one.contract_id == contract_id)

    def proposal(self, proposal_id: str) -> ProposalView:
        if proposal_id not in self.payments:
            raise NotFound(f"no proposal {proposal_id!r}")
        return self.payments[proposal_id]

    # What changes something

    async def preview(self, document: bytes, actor: Actor) -> DraftView:
        """By the real compiler."""
        actor.require(Permission.SPEND)
        form = read(document)
        return draft_view(form.template.compile(form.agreement.agreement()))

    async def draft(self, document: bytes, actor: Actor) -> ContractView:
        await self.preview(document, actor)
        self.drafted.append(document)
        return drafted_view(self.view)

    async def preview_policy(self, contract_id: str, document: bytes, actor: Actor) -> PolicyView:
        actor.require(Permission.SPEND)
        form, before = read_policy(document), self.view.policy
        assert before is not None
        if form.limits.per_tx_sat > form.limits.window_sat:
            raise Denied("template.bad-limits", "limits rise")
        return msgspec.structs.replace(
            before,
            policy_version=before.policy_version + 1,
            cooling_blocks=form.cooling_blocks,
            approvals_needed=form.approvals_needed,
            allow_list=tuple(DestinationView(**msgspec.structs.asdict(one)) for one in form.allow_list),
            limits=LimitsView(**msgspec.structs.asdict(form.limits)),
        )

    async def change_policy(self, contract_id: str, document: bytes, actor: Actor) -> ContractView:
        after = await self.preview_policy(contract_id, document, actor)
        waits = PendingPolicy(
            policy_version=4, policy=after, sealed=False, signed=0, needed=2, registered=(), refused={}, to_sign=b"next"
        )
        self.view = msgspec.structs.replace(self.view, pending=waits)
        return self.view

    async def withdraw_policy(self, contract_id: str, reason: str, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        self.view = msgspec.structs.replace(self.view, pending=None)
        return self.view

    async def approve_policy(self, contract_id: str, sealed: bytes, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        self.sealed.append(sealed)
        return await self.contract(contract_id)

    async def propose(self, contract_id: str, wish: SpendingWish, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        if sum(one.amount_sat for one in wish.payments) > 1_000_000_000:
            raise Denied("limit.per-tx", "more than 1,000,000,000 sat in one payment")
        self.proposed.append(wish)
        return self.unsealed(actor.name, payments=wish.payments, reason=wish.reason)

    def unsealed(self, account: str, **more: object) -> ProposalView:
        """A payment that waits for its proposer from now on."""
        named = {"Anna": PROPOSAL, "Ben": PROPOSAL + b", Ben"}
        made = msgspec.structs.replace(
            payment_view(self.now_ms, UNSEALED, "proposed"), asked_by=account, proposed_by="", to_seal=named, **more
        )
        self.payments = {UNSEALED: made} | self.payments
        return made

    async def seal(self, proposal_id: str, sealed: bytes, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        self.proposers.append(sealed)
        one = self.proposal(proposal_id)
        self.payments[proposal_id] = msgspec.structs.replace(
            one, status="sealed", proposed_by="Anna", to_seal={}, to_sign=APPROVAL
        )
        return self.payments[proposal_id]

    async def approve(self, proposal_id: str, sealed: bytes, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        if sealed == b"foreign":
            raise Denied("approval.approver-unknown", "not signed by an approver of the policy")
        self.sealed.append(sealed)
        one = self.proposal(proposal_id)
        given = (*one.approved_by, "Rosa")
        self.payments[proposal_id] = msgspec.structs.replace(one, status="approved", approved_by=given, to_sign=None)
        return self.payments[proposal_id]

    async def cancel(self, proposal_id: str, reason: str, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        one = self.proposal(proposal_id)
        self.payments[proposal_id] = msgspec.structs.replace(one, status="cancelled", detail=reason, to_sign=None)
        return self.payments[proposal_id]

    async def replace(self, proposal_id: str, fee_rate_sat_vb: int, reason: str, actor: Actor) -> ProposalView:
        return self._raised("replace", proposal_id, fee_rate_sat_vb, reason, actor)

    async def help(self, proposal_id: str, fee_rate_sat_vb: int, reason: str, actor: Actor) -> ProposalView:
        return self._raised("child", proposal_id, fee_rate_sat_vb, reason, actor)

    def _raised(self, way: str, proposal_id: str, rate: int, reason: str, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        self.raised.append((way, proposal_id, rate, reason))
        return self.proposal(WAITS)

    async def ask_again(self, proposal_id: str, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        self.asked.append(proposal_id)
        return self.proposal(proposal_id)

    async def tell_boxes(self, contract_id: str, actor: Actor) -> ContractView:
        actor.require(Permission.SPEND)
        self.asked.append(contract_id)
        return await self.contract(contract_id)

    async def refresh(self, contract_id: str, wish: RefreshWish, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        raise Denied("treasury.nothing-due", "no free coin of this contract is due for a refresh")

    async def import_signatures(self, proposal_id: str, party: str, psbt: bytes, actor: Actor) -> ProposalView:
        actor.require(Permission.SPEND)
        if not psbt.startswith(b"psbt"):
            raise Denied("answer.malformed", "the file is neither a binary PSBT nor base64")
        self.files.append((party, psbt))
        return self.proposal(proposal_id)
