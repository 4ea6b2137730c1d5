"""A box in a hash-rate forward: every settlement follows from what the owners sealed, and its stake goes in last."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from nacl.signing import SigningKey

from agent.signer.ledger import EntryKind, Note
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.dlc import encrypt
from shared.bitcoin.network import Network
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.crypto.signing import seal
from shared.forward.promise import check_adaptors, opened, settled
from shared.forward.settlement import stake_sat
from shared.wire.codec import encode
from shared.wire.contract import APPROVAL_DOMAIN, Approval, Destination, Party, SpendingPath
from shared.wire.forward import DEED_DOMAIN, ForwardDeed
from shared.wire.signing import ForwardAnswer, ForwardRequest
from tests.agent.signer.scene import ANN, BOB, HEIGHT, IDA, LIMITS, OWNERS, Box, MemoryKeys, at
from tests.shared.forward.scene import (
    ANNOUNCED,
    BUYER,
    EVENT,
    MINER,
    NONCES,
    ORACLE,
    TERMS,
    attestation,
    event_of,
    promises,
    the_deal,
)

BITS = 0x17034219
"""Of a real header; difficulty about 8.6e13, outcome 86,388 of this forward."""
OUTCOME = int(0xFFFF * 2**208 / (0x034219 * 2 ** (8 * (0x17 - 3)))) // 10**9
DEAL = the_deal()
STAKE_SAT = stake_sat(TERMS, "miner")
LISTED = (Destination("us", TERMS.miner_address, 0), Destination("them", TERMS.buyer_address, 0))
REFUND = sign_ecdsa(BUYER, DEAL.digest(DEAL.refund))


class Bargainer:
    """A box that holds the miner's key, and whoever asks it."""

    def __init__(self, folder) -> None:
        keys = MemoryKeys()
        keys.secrets[public_key_of(MINER)] = MINER
        miner, buyer = TERMS.miner_key.hex(), TERMS.buyer_key.hex()
        changed = {
            "name": "forward",
            "template": "hashrate-forward",
            "descriptor": checked(f"wsh(multi(2,{miner},{buyer}))"),
            "parties": (Party("miner", "box", miner, "signer"), Party("buyer", "them", buyer, "signer")),
            "paths": (SpendingPath("both", "signer", ("miner", "buyer"), 2),),
        }
        self.box = Box(folder, keys=keys, changed=changed)
        self._count = 0

    def deed(self, **changed: object) -> ForwardDeed:
        plain = ForwardDeed(
            contract_id=self.box.subject,
            side="miner",
            terms=TERMS,
            announcement=ANNOUNCED.serialize(),
            miner_stake=str(DEAL.miner_stake),
            buyer_stake=str(DEAL.buyer_stake),
        )
        return msgspec.structs.replace(plain, **changed)

    async def ask(
        self, step: str, deed: ForwardDeed | None = None, *, owners=OWNERS[:2], people=(ANN, BOB), **changed: object
    ) -> ForwardAnswer:
        return await self.box.forwards.answer(self.request(step, deed, owners=owners, people=people, **changed))

    def request(self, step, deed=None, *, owners=OWNERS[:2], people=(ANN, BOB), **changed) -> ForwardRequest:
        self._count += 1
        approval = Approval(
            self.box.subject, "regtest", 1, DEAL.funding.txid, STAKE_SAT, HEIGHT + 5_000, "approver", "Ida"
        )
        proposal = msgspec.structs.replace(approval, role="proposer")
        approval = msgspec.structs.replace(approval, **changed.pop("approval", {}))
        plain = ForwardRequest(
            request_id=f"forward-{self._count}",
            site="tx1",
            node="box-1",
            contract_id=self.box.subject,
            policy_version=1,
            step=step,
            deed=seal(DEED_DOMAIN, deed or self.deed(), owners),
            proposal=seal(APPROVAL_DOMAIN, proposal, [IDA]),
            approvals=tuple(seal(APPROVAL_DOMAIN, approval, [person]) for person in people),
            expires_at_ms=self.box.now_ms + 86_400_000,
            expires_at_height=900_000,
        )
        return msgspec.structs.replace(plain, **changed)

    async def fund(self, **changed: object) -> ForwardAnswer:
        return await self.ask("fund", **{"adaptors": promises(BUYER), "refund": REFUND} | changed)


def checked(descriptor: str) -> str:
    return Descriptor.parse(descriptor, Network.REGTEST).checksum_text


@pytest.fixture
async def miner(tmp_path) -> AsyncIterator[Bargainer]:
    made = Bargainer(tmp_path)
    await made.box.open(allow_list=LISTED)
    yield made
    await made.box.close()


async def test_promise_fund_settle(miner):
    promised = await miner.ask("promise")
    assert promised.outcome == "signed", promised.detail
    check_adaptors(DEAL.settlements, TERMS.miner_key, promised.adaptors)
    DEAL.check("miner", DEAL.digest(DEAL.refund), promised.signature, "the refund")
    funded = await miner.fund()
    final = DEAL.funded(funded.signature, sign_ecdsa(BUYER, DEAL.funding_digest("buyer")))
    assert failed_input(final, DEAL.stakes) is None
    miner.box.clock.bits[TERMS.settle_height] = BITS
    settlement = await miner.ask("settle", people=(), attestation=attestation(OUTCOME))
    place = settled(DEAL.settlements, EVENT.attested(attestation(OUTCOME)))
    theirs = opened(DEAL.settlements[place], promises(BUYER)[place], EVENT.attested(attestation(OUTCOME)))
    tx = DEAL.settlements[place].transaction
    final = DEAL.complete(tx, {"miner": settlement.signature, "buyer": theirs})
    assert failed_input(final, DEAL.funding.outputs) is None


async def test_our_stake_is_debited_once_and_one_answer_is_told_twice(miner):
    request = miner.request("promise")
    first = await miner.box.forwards.answer(request)
    again = await miner.box.forwards.answer(request)
    assert again == first
    await miner.fund()
    debits = [row.debit_sat for row in await miner.box.rows() if row.kind == EntryKind.DEBIT]
    assert debits == [STAKE_SAT]


async def test_a_stake_comes_back_to_its_owner_without_approvals(miner):
    alone = miner.deed(buyer_stake=str(DEAL.miner_stake))
    answer = await miner.ask("return", alone, people=())
    final = DEAL.taken_back("miner", answer.signature)
    assert failed_input(final, DEAL.stakes[:1]) is None
    assert (await miner.ask("promise", alone)).rule == "forward.terms"


async def refused(asked, rule: str, words: str = "") -> None:
    answer = await asked
    assert (answer.outcome, answer.rule) == ("refused", rule), answer.detail
    assert words in answer.detail
    assert answer.adaptors == ()
    assert answer.signature == b""


async def test_an_altered_curve_is_nobodys_deed(miner):
    altered = msgspec.structs.replace(TERMS, hedge=msgspec.structs.replace(TERMS.hedge, price_sat=1))
    await refused(miner.ask("promise", miner.deed(terms=altered), owners=OWNERS[:1]), "register.owners")
    await refused(miner.ask("promise", owners=(SigningKey(b"\x55" * 32),)), "register.owners")
    assert (await miner.ask("promise")).outcome == "signed"
    await refused(miner.ask("promise", miner.deed(terms=altered)), "forward.terms")


async def test_one_contract_has_one_deed(miner):
    await miner.ask("promise")
    steeper = msgspec.structs.replace(TERMS, hedge=msgspec.structs.replace(TERMS.hedge, price_sat=1_400_000))
    await refused(miner.ask("promise", miner.deed(terms=steeper)), "forward.terms", "not the deed")
    await refused(miner.ask("settle", miner.deed(terms=steeper), attestation=attestation(OUTCOME)), "forward.terms")


async def test_another_contract_or_script_is_refused(miner):
    await refused(miner.ask("promise", miner.deed(contract_id="ab" * 32)), "forward.terms")
    turned = msgspec.structs.replace(TERMS, miner_key=TERMS.buyer_key, buyer_key=TERMS.miner_key)
    await refused(miner.ask("promise", miner.deed(terms=turned, side="buyer")), "forward.terms", "2-of-2")
    await refused(miner.ask("promise", miner.deed(side="buyer")), "sign.not-ours")
    finer = msgspec.structs.replace(TERMS, rounding_sat=1)
    await refused(miner.ask("promise", miner.deed(terms=finer)), "forward.terms")


async def test_another_oracle_is_refused(miner):
    stranger = event_of(key=ORACLE + 1).serialize()
    await refused(miner.ask("promise", miner.deed(announcement=stranger)), "forward.oracle")
    await refused(miner.ask("promise", miner.deed(announcement=event_of(event_id="x").serialize())), "forward.oracle")
    await miner.ask("promise")
    await refused(miner.ask("settle", attestation=b"yes"), "forward.oracle")


async def test_an_oracle_that_lies_settles_nothing(miner):
    await miner.ask("promise")
    await refused(miner.ask("settle", attestation=attestation(OUTCOME)), "clock.stale")
    miner.box.clock.bits[TERMS.settle_height] = BITS
    await refused(miner.ask("settle", attestation=attestation(OUTCOME + 1)), "forward.oracle-lies")


async def test_a_nonce_that_the_oracle_uses_again_is_noticed(miner):
    earlier = msgspec.structs.replace(TERMS, event_id="difficulty-818496")
    announced = event_of(event_id=earlier.event_id, nonces=(*NONCES[1:19],)).serialize()
    deed = miner.deed(contract_id="cd" * 32, terms=earlier, announcement=announced)
    await miner.box.ledger.record(Note(kind=EntryKind.FORWARD, subject="cd" * 32, body=encode(deed)), at(HEIGHT))
    await refused(miner.ask("promise"), "forward.nonce-reused", "difficulty-818496")


async def test_nothing_is_brought_in_before_every_promise_holds(miner):
    good = promises(BUYER)
    bent = bytearray(good[7])
    bent[100] ^= 1
    wrong = (*good[:7], bytes(bent), *good[8:])
    digits = "".join(map(str, DEAL.settlements[7].prefix))
    await refused(miner.fund(adaptors=wrong), "forward.bad-adaptor", digits)
    await refused(miner.fund(adaptors=good[:-1]), "forward.bad-adaptor")
    await refused(miner.fund(adaptors=()), "forward.bad-adaptor")
    other_point = (encrypt(BUYER, DEAL.settlements[0].digest, DEAL.settlements[1].point), *good[1:])
    await refused(miner.fund(adaptors=other_point), "forward.bad-adaptor")
    await refused(miner.fund(refund=b""), "forward.bad-signature")
    await refused(miner.fund(refund=sign_ecdsa(MINER, DEAL.digest(DEAL.refund))), "forward.bad-signature")
    assert not [row for row in await miner.box.rows() if row.kind == EntryKind.DEBIT]


async def test_the_refund_waits_for_the_oracle(miner):
    hasty = msgspec.structs.replace(TERMS, refund_height=TERMS.settle_height + 1_007)
    await refused(miner.ask("promise", miner.deed(terms=hasty)), "forward.refund-lock")


async def test_nobody_signs_when_the_end_is_in_sight(miner):
    miner.box.clock.now = at(TERMS.settle_height - 143)
    await refused(miner.ask("promise", expires_at_ms=1 << 42), "forward.too-late")
    await refused(miner.fund(expires_at_ms=1 << 42), "forward.too-late")


async def test_approvals_are_needed_as_for_a_payment(miner):
    await refused(miner.ask("promise", people=(ANN,)), "approval.missing")
    await refused(miner.ask("promise", proposal=b""), "proposal.missing")
    await refused(miner.ask("promise", people=(ANN, IDA)), "approval.initiator")
    await refused(miner.ask("promise", approval={"external_sat": STAKE_SAT - 1}), "approval.other-tx")
    await refused(miner.ask("promise", approval={"txid": "ee" * 32}), "approval.other-tx")
    await refused(miner.fund(people=(ANN, ANN)), "approval.duplicate")


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("output.unlisted", {"allow_list": LISTED[:1]}),
        ("output.cooling", {"allow_list": (LISTED[0], msgspec.structs.replace(LISTED[1], added_at_height=900))}),
        ("limit.tx", {"allow_list": LISTED, "limits": msgspec.structs.replace(LIMITS, per_tx_sat=STAKE_SAT - 1)}),
        ("fee.rate", {"allow_list": LISTED, "limits": msgspec.structs.replace(LIMITS, fee_rate_sat_vb=4)}),
        ("fee.absolute", {"allow_list": LISTED, "limits": msgspec.structs.replace(LIMITS, fee_sat=100)}),
    ],
)
async def test_the_policy_binds_a_forward_too(tmp_path, rule, changed):
    made = Bargainer(tmp_path)
    await made.box.open(**changed)
    await refused(made.ask("promise"), rule)
    await made.box.close()
