"""Who proposes, over several payments and policies: each payment has its own document of its own proposer."""

import msgspec
import pytest

from agent.signer.ledger import EntryKind
from shared.bitcoin.psbt.psbt import Psbt
from tests.agent.signer.attacks.asking import refused
from tests.agent.signer.scene import (
    ANN,
    BOB,
    HEIGHT,
    IDA,
    MASTERS,
    PAYOUTS,
    REA,
    ROB,
    Box,
    MemoryKeys,
    approvals,
    at,
    coin,
    payment,
    policy,
    proposal,
    sealed_policy,
)

EXTERNAL_SAT = 100_000


@pytest.mark.parametrize(
    ("proposer", "name", "others"),
    [(BOB, "Bob", (ANN, IDA)), (PAYOUTS, "Payouts", (ANN, BOB)), (REA, "Rea", (ANN, BOB))],
    ids=["an approver", "a service", "a person of the recovery"],
)
async def test_any_key_of_the_policy_proposes_and_its_person_does_not_count(box: Box, proposer, name, others):
    psbt = payment()
    proposed = proposal(box.subject, psbt, EXTERNAL_SAT, proposer, by=name)
    with_himself = approvals(box.subject, psbt, EXTERNAL_SAT, (*others, proposer), initiator=name)
    assert (await box.ask(psbt, proposal=proposed, given=with_himself)).outcome == "refused"
    too_few = approvals(box.subject, psbt, EXTERNAL_SAT, others[:1], initiator=name)
    await refused(box, psbt, "approval.missing", proposal=proposed, given=too_few)
    enough = approvals(box.subject, psbt, EXTERNAL_SAT, others, initiator=name)
    assert (await box.ask(psbt, proposal=proposed, given=enough)).outcome == "signed"


async def test_a_replacement_is_proposed_anew(box: Box):
    first, second = payment(), payment(fee_sat=3_000)
    old = proposal(box.subject, first, EXTERNAL_SAT)
    assert (await box.ask(first, proposal=old)).outcome == "signed"
    await refused(box, second, "proposal.other-tx", proposal=old, family=(first.txid,))
    assert (await box.ask(second, family=(first.txid,))).outcome == "signed"
    assert [row.debit_sat for row in await box.rows() if row.kind == EntryKind.DEBIT] == [102_000, 1_000]


async def test_what_was_proposed_under_the_policy_before_is_void(box: Box):
    document = policy(box.subject, policy_version=2, cooling_blocks=0)
    await box.registry.change(box.subject, sealed_policy(document), at(HEIGHT))
    box.clock.now = at(HEIGHT + 144)
    psbt = payment()
    anew = {"policy_version": 2, "expiry_height": HEIGHT + 1000}
    given = approvals(box.subject, psbt, EXTERNAL_SAT, **anew)
    before = proposal(box.subject, psbt, EXTERNAL_SAT)
    await refused(box, psbt, "proposal.policy-version", proposal=before, given=given, policy_version=2)
    assert (await box.ask(psbt, given=given, policy_version=2)).outcome == "signed"


async def test_who_has_left_the_policy_proposes_nothing(box: Box):
    plain = policy(box.subject)
    rest = tuple(each for each in plain.approvers if each.person != "Payouts")
    document = msgspec.structs.replace(plain, policy_version=2, approvers=rest)
    await box.registry.change(box.subject, sealed_policy(document), at(HEIGHT))  # it only takes away: in force at once
    psbt = payment()
    proposed = proposal(box.subject, psbt, EXTERNAL_SAT, PAYOUTS, by="Payouts", policy_version=2)
    given = approvals(box.subject, psbt, EXTERNAL_SAT, initiator="Payouts", policy_version=2)
    await refused(box, psbt, "proposal.unknown-proposer", proposal=proposed, given=given, policy_version=2)


async def test_a_recovery_is_not_proposed_by_one_of_those_who_approve_it(tmp_path):
    box = await Box(tmp_path, keys=MemoryKeys(MASTERS["r"])).open()
    psbt = payment(sequence=144)
    given = approvals(box.subject, psbt, EXTERNAL_SAT, (REA, ROB), role="recovery", initiator="Rea")
    proposed = proposal(box.subject, psbt, EXTERNAL_SAT, REA, by="Rea")
    await refused(box, psbt, "approval.initiator", path="recovery", proposal=proposed, given=given)
    given = approvals(box.subject, psbt, EXTERNAL_SAT, (REA, ROB), role="recovery")
    assert (await box.ask(psbt, path="recovery", given=given)).outcome == "signed"
    await box.close()


async def test_one_document_does_for_every_box_and_round_of_its_payment(box: Box):
    """It is bound to the transaction, not to a request: asked again under another id, the same is signed again."""
    psbt = payment(coins=[coin(salt=3)])
    proposed = proposal(box.subject, psbt, EXTERNAL_SAT)
    one, two = await box.ask(psbt, proposal=proposed), await box.ask(psbt, proposal=proposed)
    assert one.psbt == two.psbt
    assert Psbt.parse(one.psbt).inputs[0].partial_signatures
    assert [row.kind for row in await box.rows()].count(EntryKind.DEBIT) == 1
