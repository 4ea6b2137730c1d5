"""Two companies, each with contracts, journal, desk key and signing box of its own, and one node between them."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from nacl.signing import SigningKey

from controller.contracts.forward import FORWARD_KIND, BoxWord, ForwardAsk, ForwardDelivery, ForwardService
from controller.contracts.forward.model import Forward
from controller.contracts.model import Contract
from controller.contracts.service import BoxAnswer, ContractService
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.forward import HashrateForward
from controller.gateways.bitcoind.treasury import TreasuryChain
from controller.journal import Dispatcher, Journal
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from hardware_sims.oracle import Question
from shared.bitcoin.address import address_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.crypto.signing import seal
from shared.wire.contract import APPROVAL_DOMAIN, POLICY_DOMAIN, Approver, Destination, Limits, Party
from shared.wire.forward import DEED_DOMAIN, Hedge, Side
from shared.wire.signing import ForwardRequest
from tests.agent.signer.scene import OWNERS as BOX_OWNERS
from tests.agent.signer.scene import Box, MemoryKeys, at, public
from tests.controller.contracts.scene import FakeClock

ANN, BOB, IDA = (SigningKey(bytes([40 + number]) * 32) for number in range(3))
LIMITS = Limits(
    per_tx_sat=2_000_000,
    window_sat=2_000_000,
    window_blocks=144,
    lifetime_sat=2_000_000,
    fee_sat=50_000,
    fee_rate_sat_vb=100,
    weight_wu=40_000,
)
SECRETS: dict[Side, bytes] = {"miner": b"\x31" * 32, "buyer": b"\x32" * 32}
KEYS = {side: public_key_of(secret) for side, secret in SECRETS.items()}
PAYOUTS = {side: p2wpkh(public_key_of(bytes([0x41 + n]) * 32)) for n, side in enumerate(SECRETS)}
ADDRESSES = {side: str(address_of(script, Network.REGTEST)) for side, script in PAYOUTS.items()}
HEDGE = Hedge(  # regtest's difficulty counts as 1: about 1,054,000 sat would be earned, 1,200,000 are agreed on
    hashrate_ghs=1,
    duration_s=3_600,
    reward_sat=1_258,
    price_sat=1_200_000,
    miner_collateral_sat=600_000,
    buyer_collateral_sat=600_000,
)


def form_of(question: Question, oracle_key: bytes) -> HashrateForward:
    """Four binary digits; on regtest the difficulty counts as 1, and the miner gets about 745,000 sat of 1,200,000."""
    return HashrateForward(
        miner="miner",
        buyer="buyer",
        hedge=HEDGE,
        oracle_key=oracle_key,
        event_id=question.event_id,
        unit=1,
        nb_digits=4,
        rounding_sat=1_000,
        settle_height=question.height,
        refund_height=question.height + 1_100,
        miner_address=ADDRESSES["miner"],
        buyer_address=ADDRESSES["buyer"],
        fee_rate_sat_vb=3,
    )


def agreement_of(ours: Side) -> Agreement:
    parties = tuple(Party(side, side, KEYS[side].hex(), "signer") for side in ("miner", "buyer"))
    return Agreement(
        network=Network.REGTEST,
        name=f"forward of the {ours}",
        epoch=1,
        birth_height=0,
        parties=parties,
        owners=tuple(map(public, BOX_OWNERS)),
        owners_needed=2,
        approvers=tuple(
            Approver(name, name, "approver", public(key)) for name, key in (("Ann", ANN), ("Bob", BOB), ("Ida", IDA))
        ),
        approvals_needed=2,
        allow_list=tuple(Destination(side, ADDRESSES[side], 0) for side in ("miner", "buyer")),
        cooling_blocks=0,
        limits=LIMITS,
    )


@dataclass
class Company:
    """One side. `post` stands for the broker: it hands requests to the box and answers to the service."""

    side: Side
    chain: TreasuryChain
    store: SqliteJournal
    clock: FakeClock
    desk: SigningKey
    folder: Path
    contract_id: str = ""
    line_is_dead: bool = False
    asked: list[ForwardAsk] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self.store, self.clock)
        self.contracts = ContractService(self.journal, self.chain)
        self.service = ForwardService(self.journal, self.contracts.book, self.chain, self.desk, self.clock)

    async def begin(self, form: HashrateForward) -> Contract:
        """Draft, seal and register the contract with the box."""
        compiled = form.compile(agreement_of(self.side))
        drafted = await self.contracts.draft(compiled, ("box",), actor="Ida")
        self.contract_id = drafted.contract_id
        for owner in BOX_OWNERS[:2]:
            sealed = seal(POLICY_DOMAIN, compiled.policy, [owner])
            contract = await self.contracts.approve(self.contract_id, sealed, actor="owner")
        keys = MemoryKeys()
        keys.secrets[KEYS[self.side]] = SECRETS[self.side]
        self.box = Box(self.folder, keys=keys, changed=msgspec.structs.asdict(compiled.terms))
        assert self.box.subject == self.contract_id
        await self.box.ledger.open()
        assert contract.pending is not None
        assert contract.pending.sealed is not None
        await self.box.registry.register(compiled.terms, contract.pending.sealed, at(100))
        told = BoxAnswer(
            contract_id=self.contract_id,
            policy_version=1,
            box_id="box",
            effective_height=0,
            ledger_seq=1,
            ledger_head="",
        )
        return await self.contracts.box_answered(told)

    async def ask_forward(self, box_id: str, ask: ForwardAsk) -> None:
        """The broker and the box, in one breath."""
        self.asked.append(ask)
        if self.line_is_dead:
            return
        plain = {name: getattr(ask, name) for name in ForwardAsk.__struct_fields__ if name != "attempt"}
        name = f"forward-{ask.contract_id[:12]}-{ask.step}-{ask.attempt}"
        answer = await self.box.forwards.answer(ForwardRequest(**plain, request_id=name, site="tx1", node="box-1"))
        word = BoxWord(
            contract_id=ask.contract_id,
            step=ask.step,
            attempt=ask.attempt,
            box_id=box_id,
            rule=answer.rule,
            detail=answer.detail,
            adaptors=answer.adaptors,
            signature=answer.signature,
        )
        await self.service.box_said(word)

    async def settle_outbox(self) -> None:
        """Deliver what waits in the outbox, until nothing does."""
        delivery = ForwardDelivery(self, self.chain, self.service.book, self.contracts.book, lambda: None)
        dispatcher = Dispatcher(self.journal, SqliteOutbox(self.store), FORWARD_KIND, delivery.deliver, self.clock)
        while await dispatcher.deliver_due():
            pass

    async def approve(self) -> Forward:
        """Two owners seal the deed, Ida proposes the funding, Ann and Bob approve it."""
        service, subject = self.service, self.contract_id
        for owner in BOX_OWNERS[:2]:
            await service.sign_deed(subject, seal(DEED_DOMAIN, service.book.get(subject).deed, [owner]), actor="owner")
        proposal = await service.approval(subject, "proposer", "Ida")
        await service.word(subject, seal(APPROVAL_DOMAIN, proposal, [IDA]), actor="Ida")
        for person in (ANN, BOB):
            yes = await service.approval(subject, "approver", "Ida")
            await service.word(subject, seal(APPROVAL_DOMAIN, yes, [person]), actor="person")
        await self.settle_outbox()
        return service.book.get(subject)

    async def observe(self) -> Forward:
        await self.contracts.observe(self.contract_id)
        state = await self.service.observe(self.contract_id)
        await self.settle_outbox()
        return state

    @property
    def state(self) -> Forward:
        return self.service.book.get(self.contract_id)

    async def close(self) -> None:
        await self.box.close()
