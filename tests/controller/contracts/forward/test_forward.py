"""A forward between two companies from the offer to the last block: embedded node, real ledgers, real documents."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import msgspec
import pytest
from nacl.signing import SigningKey

from controller.contracts.forward.book import ForwardBook
from controller.contracts.forward.model import ForwardPhase
from controller.gateways.bitcoind import BitcoinNode
from controller.gateways.bitcoind.treasury import TreasuryChain
from controller.storage.sqlite.journal import SqliteJournal
from hardware_sims.oracle import DifficultyOracle, Question
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.transaction import TxOut
from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.forward.curve import miner_sat
from shared.forward.settlement import stake_sat
from shared.wire.contract import APPROVAL_DOMAIN
from shared.wire.forward import ACCEPT_DOMAIN, DEED_DOMAIN, OFFER_DOMAIN, ForwardOffer, ForwardPromise
from tests.agent.signer.scene import OWNERS, at
from tests.controller.contracts.forward.scene import ANN, BOB, HEDGE, IDA, KEYS, PAYOUTS, Company, form_of
from tests.controller.contracts.scene import FakeClock, denied
from tests.integration.chain.conftest import Miner, gateway, miner, program, purse, rpc, running

__all__ = ["gateway", "miner", "program", "purse", "rpc", "running"]  # fixtures

ORACLE = DifficultyOracle(b"\x0a" * 32)


class Table:
    """Both companies, the chain and the oracle."""

    def __init__(self, companies: dict[str, Company], chain: Miner, node: BitcoinNode, question: Question) -> None:
        self.miner, self.buyer = companies["miner"], companies["buyer"]
        self.chain, self.gateway, self.question = chain, node, question
        self.announcement = ORACLE.announce(question)
        self.stakes: dict[str, str] = {}

    async def offered(self) -> None:
        """Both stakes are paid; the miner offers, the buyer takes the offer."""
        await self.miner.service.offer(
            self.miner.contract_id,
            "miner",
            self.stakes["miner"],
            self.announcement,
            self.buyer.desk.verify_key.encode(),
            actor="Ida",
        )
        await self.buyer.service.take_offer(
            self.buyer.contract_id,
            self.stakes["buyer"],
            self.miner.service.documents(self.miner.contract_id)["offer"],
            self.miner.desk.verify_key.encode(),
            actor="Ida",
        )

    async def accepted(self) -> None:
        await self.offered()
        await self.buyer.approve()
        document = self.buyer.service.documents(self.buyer.contract_id)["accept"]
        await self.miner.service.take_promise(self.miner.contract_id, document, actor="Ida")

    async def signed(self) -> None:
        await self.accepted()
        await self.miner.approve()
        await self.miner.settle_outbox()
        document = self.miner.service.documents(self.miner.contract_id)["sign"]
        await self.buyer.service.take_promise(self.buyer.contract_id, document, actor="Ida")
        await self.buyer.settle_outbox()

    async def funded(self) -> None:
        await self.signed()
        await self.mine()

    async def mine(self, count: int = 1) -> None:
        await self.chain.mine(count)
        height = (await self.gateway.tip()).height
        for company in (self.miner, self.buyer):
            company.box.clock.now = at(height)
            bits = await company.chain.bits_at(min(height, self.question.height))
            if bits is not None and height >= self.question.height:
                company.box.clock.bits[self.question.height] = bits
            await company.observe()

    async def to(self, height: int) -> None:
        await self.mine(height - (await self.gateway.tip()).height)

    async def paid(self, script: bytes, txid: str) -> int:
        tx = await self.gateway.transaction(txid)
        assert tx is not None
        return sum(output.amount_sat for output in tx.outputs if output.script == script)


@pytest.fixture
async def table(tmp_path, gateway, miner, purse) -> AsyncIterator[Table]:
    async with AsyncExitStack() as stack:
        first, _second, *_ = await miner.rewards(2)
        height = (await gateway.tip()).height
        settle = height + 160
        question = Question(height=settle, unit=1, base=2, nb_digits=4, maturity_s=1_699_500_000)
        form = form_of(question, ORACLE.public_key)
        companies = {}
        for number, side in enumerate(KEYS):
            folder = tmp_path / side
            folder.mkdir()
            store = await stack.enter_async_context(SqliteJournal(folder / "journal.db"))
            desk = SigningKey(bytes([80 + number]) * 32)
            company = Company(side, TreasuryChain(gateway), store, FakeClock(), desk, folder)
            await company.begin(form)
            company.box.clock.now = at(height)
            stack.push_async_callback(company.close)
            companies[side] = company
        made = Table(companies, miner, gateway, question)
        terms = made.miner.service.terms(made.miner.contract_id)
        assert terms == made.buyer.service.terms(made.buyer.contract_id)
        outputs = [TxOut(stake_sat(terms, side), p2wpkh(key)) for side, key in KEYS.items()]
        rest = first.amount_sat - sum(one.amount_sat for one in outputs) - 10_000
        paying = purse.paid([first], [*outputs, TxOut(rest, purse.script)])
        await gateway.broadcast(paying.raw)
        await miner.mine(1)
        made.stakes = {side: f"{paying.txid}:{vout}" for vout, side in enumerate(KEYS)}
        yield made


async def test_agreed_funded_attested_and_settled_as_the_curve_says(table):
    await table.signed()
    assert table.buyer.state.phase is ForwardPhase.BROADCAST
    assert table.miner.state.phase is ForwardPhase.SIGNED
    await table.mine()
    assert table.miner.state.phase is table.buyer.state.phase is ForwardPhase.FUNDED
    await table.to(table.question.height)
    header = (await table.gateway.headers_from(table.question.height, 1))[0]
    word = ORACLE.attest(table.question, table.question.answer(header))
    await table.miner.service.attest(table.miner.contract_id, word, actor="Ida")
    await table.miner.settle_outbox()
    closing = table.miner.state.closing
    assert closing is not None, table.miner.state.refused
    assert table.miner.state.trouble == ""
    await table.mine()
    expected = miner_sat(HEDGE, 0)
    assert abs(await table.paid(PAYOUTS["miner"], closing.txid) - expected) <= 500
    assert abs(await table.paid(PAYOUTS["buyer"], closing.txid) - (1_200_000 - expected)) <= 500
    assert table.buyer.state.closing.kind == "settlement"  # found by the other side on the chain
    assert table.buyer.state.closing.txid == closing.txid
    await table.mine(6)
    assert table.miner.state.phase is table.buyer.state.phase is ForwardPhase.CLOSED


async def test_without_the_oracle_everybody_gets_his_own_back(table):
    await table.funded()
    company = table.miner
    await table.chain.mine(table.question.height + 1_099 - (await table.gateway.tip()).height)
    await company.service.observe(company.contract_id)
    assert company.state.phase is ForwardPhase.FUNDED
    for count in (1, 6):
        await table.chain.mine(count)
        await company.service.observe(company.contract_id)
        await company.settle_outbox()
    assert company.state.closing.kind == "refund"
    assert company.state.trouble == ""
    assert (await company.service.observe(company.contract_id)).phase is ForwardPhase.CLOSED
    for script in PAYOUTS.values():
        assert await table.paid(script, company.state.closing.txid) == 600_000


async def test_an_oracle_that_lies_is_not_followed(table):
    await table.funded()
    liar = DifficultyOracle(b"\x0a" * 32)
    early = liar.attest(table.question, 3)
    with denied("forward.wrong-phase"):
        await table.miner.service.attest(table.miner.contract_id, early, actor="Ida")
    await table.to(table.question.height)
    with denied("forward.oracle-lies"):
        await table.miner.service.attest(table.miner.contract_id, early, actor="Ida")
    with denied("forward.oracle"):
        await table.miner.service.attest(table.miner.contract_id, early[:-1], actor="Ida")
    assert table.miner.state.phase is ForwardPhase.FUNDED


async def test_a_wrong_promise_is_named_by_its_outcome_and_nothing_is_paid_in(table):
    await table.offered()
    await table.buyer.approve()
    company = table.buyer
    document = company.service.documents(company.contract_id)["accept"]
    trusted = {key_id(company.desk.verify_key): company.desk.verify_key}
    good, _ = unseal(ACCEPT_DOMAIN, document, trusted, ForwardPromise)
    settlements = table.buyer.service.deal(company.contract_id).settlements
    bent = bytearray(good.adaptors[2])
    bent[90] ^= 1
    wrong = (*good.adaptors[:2], bytes(bent), *good.adaptors[3:])
    bad = seal(ACCEPT_DOMAIN, msgspec.structs.replace(good, adaptors=wrong), [company.desk])
    with denied("forward.bad-adaptor") as found:
        await table.miner.service.take_promise(table.miner.contract_id, bad, actor="Ida")
    assert "".join(map(str, settlements[2].prefix)) in found.value.detail
    no_refund = seal(ACCEPT_DOMAIN, msgspec.structs.replace(good, refund=bytes(70)), [company.desk])
    with denied("forward.bad-signature"):
        await table.miner.service.take_promise(table.miner.contract_id, no_refund, actor="Ida")
    assert table.miner.state.phase is ForwardPhase.OFFERED
    assert table.miner.asked == []


async def test_documents_of_others_or_about_something_else_are_refused(table):
    service, subject = table.miner.service, table.miner.contract_id
    with denied("forward.unknown"):
        service.book.get(subject)
    await table.offered()
    with denied("forward.exists"):
        await service.offer(subject, "miner", table.stakes["miner"], table.announcement, bytes(32), actor="Ida")
    with denied("forward.not-theirs"):
        await service.take_promise(subject, service.documents(subject)["offer"], actor="Ida")
    await table.buyer.approve()
    document = table.buyer.service.documents(table.buyer.contract_id)["accept"]
    desk = table.buyer.desk
    good, _ = unseal(ACCEPT_DOMAIN, document, {key_id(desk.verify_key): desk.verify_key}, ForwardPromise)
    for changed in ({"offer": bytes(32)}, {"side": "miner"}, {"stake": table.stakes["miner"]}):
        with denied("forward.other-terms"):
            other = seal(ACCEPT_DOMAIN, msgspec.structs.replace(good, **changed), [desk])
            await service.take_promise(subject, other, actor="Ida")


async def test_an_offer_of_other_terms_is_named_by_its_field(table):
    await table.miner.service.offer(
        table.miner.contract_id, "miner", table.stakes["miner"], table.announcement, bytes(32), actor="Ida"
    )
    terms = table.miner.service.terms(table.miner.contract_id)
    for name, value in (("unit", 2), ("hedge", msgspec.structs.replace(HEDGE, price_sat=1))):
        altered = msgspec.structs.replace(terms, **{name: value})
        offer = ForwardOffer(terms=altered, announcement=table.announcement, side="miner", stake=table.stakes["miner"])
        document = seal(OFFER_DOMAIN, offer, [table.miner.desk])
        with denied("forward.other-terms") as found:
            await table.buyer.service.take_offer(
                table.buyer.contract_id,
                table.stakes["buyer"],
                document,
                table.miner.desk.verify_key.encode(),
                actor="Ida",
            )
        assert found.value.detail.startswith(f"{name}: ")


async def test_who_may_say_yes(table):
    await table.offered()
    service, subject = table.buyer.service, table.buyer.contract_id
    deed = service.book.get(subject).deed
    with denied("forward.not-owner"):
        await service.sign_deed(subject, seal(DEED_DOMAIN, deed, [ANN]), actor="Ann")
    yes = await service.approval(subject, "approver", "Ida")
    with denied("forward.bad-approval"):
        await service.word(subject, seal(APPROVAL_DOMAIN, yes, [ANN]), actor="Ann")  # nobody has proposed it
    mine = await service.approval(subject, "proposer", "Ida")
    with denied("forward.bad-approval"):
        await service.word(subject, seal(APPROVAL_DOMAIN, mine, [BOB]), actor="Bob")
    await service.word(subject, seal(APPROVAL_DOMAIN, mine, [IDA]), actor="Ida")
    for wrong, who in ((yes, IDA), (msgspec.structs.replace(yes, external_sat=1), ANN)):
        with denied("forward.bad-approval"):
            await service.word(subject, seal(APPROVAL_DOMAIN, wrong, [who]), actor="somebody")


async def test_a_stake_that_nobody_answered_comes_back(table):
    company = table.miner
    service, subject = company.service, company.contract_id
    await service.offer(subject, "miner", table.stakes["miner"], table.announcement, bytes(32), actor="Ida")
    with denied("forward.wrong-phase"):
        await service.take_back(subject, actor="Ida")
    for owner in OWNERS[:2]:
        await service.sign_deed(subject, seal(DEED_DOMAIN, company.state.deed, [owner]), actor="owner")
    await service.take_back(subject, actor="Ida")
    await company.settle_outbox()
    assert company.state.closing.kind == "return", company.state.refused
    await table.chain.mine(1)
    await company.observe()
    assert await table.paid(PAYOUTS["miner"], company.state.closing.txid) > 599_000


async def test_a_block_with_the_funding_that_leaves_the_chain_is_noticed(table, rpc):
    await table.funded()
    tip = (await table.gateway.tip()).block_hash
    await rpc.call(type(None), "invalidateblock", tip)
    await table.chain.mine(0)
    for company in (table.miner, table.buyer):
        assert (await company.service.observe(company.contract_id)).phase is not ForwardPhase.FUNDED
    await table.mine(2)
    assert table.miner.state.phase is table.buyer.state.phase is ForwardPhase.FUNDED


async def test_a_contract_of_another_form_has_no_forward(table):
    other = table.miner.contracts.book.get(table.miner.contract_id)
    vault = replace(other, terms=msgspec.structs.replace(other.terms, template="treasury-vault"))
    table.miner.contracts.book._contracts["ab" * 32] = vault
    with denied("forward.no-forward"):
        table.miner.service.terms("ab" * 32)


async def test_what_was_written_is_read_again(table):
    await table.accepted()
    again = ForwardBook()
    async for page in table.miner.journal.since(0):
        again.fold(page)
    assert again.get(table.miner.contract_id) == table.miner.state


async def test_a_request_that_was_lost_is_sent_again_as_it_was(table):
    await table.offered()
    company = table.buyer
    company.line_is_dead = True
    await company.approve()
    await company.service.step(company.contract_id)
    await company.settle_outbox()
    assert len(company.asked) == 1
    company.line_is_dead = False
    company.clock.ms += 600_000
    await company.service.step(company.contract_id)
    await company.settle_outbox()
    assert company.asked[1] == company.asked[0]
    assert company.state.phase is ForwardPhase.PROMISED
