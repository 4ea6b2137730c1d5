"""A payment has one proposer: the person whose key signed that he proposes it, whichever account asked for it."""

import msgspec
import pytest
from nacl.signing import SigningKey

from controller.signing.approval import wanted_approval
from controller.signing.model import Payment, Person, ProposalStatus
from controller.signing.ports import Contract
from controller.signing.proposer import people_of_account, proposer_of
from controller.signing.spending import SpendingRequest
from shared.crypto.signing import seal
from shared.errors import Denied
from shared.wire.contract import APPROVAL_DOMAIN, Approver
from shared.wire.signing import SigningRequest
from tests.controller.signing.money import CAROL, PAYEE_ADDRESS, PEOPLE

S = ProposalStatus


async def drafted(stage, contract: Contract, person: Person = CAROL):
    payments = (Payment(PAYEE_ADDRESS, 100_000),)
    request = SpendingRequest(contract_id=contract.contract_id, path="quorum", payments=payments, reason="r")
    return await stage.service.proposing.propose(request, person)


async def test_it_waits_for_its_proposer_before_anybody_can_approve(stage, safe) -> None:
    progress = await drafted(stage, safe)
    assert (progress.status, progress.proposer, progress.account) == (S.PROPOSED, "", "carol")
    with pytest.raises(Denied) as early:
        stage.service.approval(progress.proposal_id)
    assert early.value.rule == "proposal.missing"
    yes = msgspec.structs.replace(wanted_approval(progress.proposal, safe, "carol"), initiator="carol")
    with pytest.raises(Denied) as refused:
        await stage.service.approve(progress.proposal_id, seal(APPROVAL_DOMAIN, yes, [PEOPLE["ann"]]))
    assert refused.value.rule == "proposal.missing"
    await stage.seal(progress.proposal_id)
    assert (progress.status, progress.proposer) == (S.SEALED, "carol")
    with pytest.raises(Denied) as again:
        await stage.seal(progress.proposal_id)
    assert again.value.rule == "proposal.wrong-status"


async def test_what_is_no_proposal_of_this_payment_is_refused_by_name(stage, safe) -> None:
    progress, other = await drafted(stage, safe), await drafted(stage, safe)
    of = progress.proposal_id

    async def refused(sealed: bytes) -> str:
        with pytest.raises(Denied) as told:
            await stage.service.seal(of, sealed)
        assert progress.status is S.PROPOSED
        return told.value.rule

    carols = stage.service.to_seal(of)["carol"]
    by_two = seal(APPROVAL_DOMAIN, carols, [PEOPLE["carol"], PEOPLE["ann"]])
    assert await refused(b"") == "proposal.missing"
    assert await refused(b"junk") == "proposal.unknown-proposer"
    assert await refused(seal(APPROVAL_DOMAIN, carols, [SigningKey.generate()])) == "proposal.unknown-proposer"
    assert await refused(seal(b"bes/other/v1", carols, [PEOPLE["carol"]])) == "proposal.unknown-proposer"
    assert await refused(by_two) == "proposal.duplicate"
    assert await refused(stage.proposed(other.proposal_id, "carol")) == "proposal.other-tx"
    assert await refused(stage.proposed(of, "carol", external_sat=5)) == "proposal.other-tx"
    assert await refused(stage.proposed(of, "carol", network="main")) == "proposal.other-tx"
    assert await refused(stage.proposed(of, "carol", policy_version=2)) == "proposal.policy-version"
    assert await refused(stage.proposed(of, "carol", expiry_height=999)) == "proposal.expired"
    assert await refused(stage.proposed(of, "carol", role="approver")) == "proposal.role"
    assert await refused(stage.proposed(of, "ann", initiator="carol")) == "proposal.initiator"
    assert await refused(stage.proposed(of, "ann")) == "proposal.other-person"


async def test_an_expired_proposal_cannot_be_signed_any_more(stage, safe) -> None:
    progress = await drafted(stage, safe)
    stage.chain.height = progress.proposal.expiry_height
    with pytest.raises(Denied) as refused:
        await stage.seal(progress.proposal_id)
    assert refused.value.rule == "proposal.expired"
    await stage.service.tick()
    assert progress.status is S.EXPIRED


async def test_who_proposed_is_the_key_and_not_the_account(stage, safe) -> None:
    """An account that is no person of the policy proposes as whoever signs; he then cannot approve."""
    progress = await drafted(stage, safe, Person("treasury desk"))
    assert set(stage.service.to_seal(progress.proposal_id)) == set(PEOPLE)
    subject = stage.service.to_seal(progress.proposal_id)["ann"]
    await stage.service.seal(progress.proposal_id, seal(APPROVAL_DOMAIN, subject, [PEOPLE["ann"]]))
    assert stage.service.approval(progress.proposal_id).initiator == "ann"
    with pytest.raises(Denied) as refused:
        await stage.service.approve(progress.proposal_id, stage.yes(progress.proposal_id, "ann"))
    assert refused.value.rule == "approval.initiator"
    await stage.approve(progress.proposal_id, "ben", "carol")
    assert progress.status is S.SIGNING


async def test_boxes_are_shown_the_proposers_own_document(stage, safe) -> None:
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    asked: list[SigningRequest] = [request for box in stage.boxes.values() for request in box.requests]
    assert {request.proposal for request in asked} == {progress.proposer_seal}
    assert proposer_of(asked[0].proposal, stage.service.approval(progress.proposal_id), safe, 0) == "carol"


async def test_a_replacement_is_proposed_anew(stage, safe) -> None:
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    later = await stage.service.proposing.replace(progress.proposal_id, 20_000, CAROL, "it does not confirm")
    assert (later.status, later.proposer) == (S.PROPOSED, "")
    with pytest.raises(Denied) as replayed:
        await stage.service.seal(later.proposal_id, progress.proposer_seal)
    assert replayed.value.rule == "proposal.other-tx"
    await stage.seal(later.proposal_id)
    assert later.status is S.SEALED


def test_an_account_named_like_a_person_proposes_as_that_person(safe) -> None:
    too = Approver("ann-phone", "Ann", "proposer", bytes(32))
    policy = msgspec.structs.replace(safe.policy, approvers=(*safe.policy.approvers, too))
    assert people_of_account(" ANN", policy) == ("ann", "Ann")
    assert people_of_account("program payouts", safe.policy) == tuple(PEOPLE)
