"""Who may propose, approve and cancel what; every refusal by its name, and in the journal."""

import msgspec
import pytest
from nacl.signing import SigningKey

from controller.signing.approval import approver_of
from controller.signing.model import Payment, Person, ProposalStatus
from controller.signing.ports import Contract
from controller.signing.spending import SpendingRequest
from shared.crypto.signing import seal
from shared.errors import Denied
from shared.wire.contract import APPROVAL_DOMAIN, Approver, Limits
from tests.controller.signing.money import CAROL, PAYEE_ADDRESS, PEOPLE

S = ProposalStatus
MAINNET = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def wish(contract: Contract, **more) -> SpendingRequest:
    known = {
        "contract_id": contract.contract_id,
        "path": "quorum",
        "payments": (Payment(PAYEE_ADDRESS, 100_000),),
        "reason": "r",
    }
    return SpendingRequest(**(known | more))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"contract_id": "00" * 32}, "spending.unknown-contract"),
        ({"path": "no"}, "spending.unknown-path"),
        ({"payments": ()}, "spending.empty"),
        ({"reason": "  "}, "spending.reason-missing"),
        ({"payments": (Payment(MAINNET, 100_000),)}, "spending.bad-address"),
        ({"payments": (Payment(PAYEE_ADDRESS, 293),)}, "spending.dust"),
        ({"expiry_blocks": 0}, "spending.bad-expiry"),
        ({"expiry_blocks": 2_017}, "spending.bad-expiry"),
        ({"payments": (Payment(PAYEE_ADDRESS, 50_000_000),)}, "coins.insufficient"),
        ({"coins": (("ab" * 32, 0),)}, "coins.insufficient"),
    ],
)
async def test_what_cannot_be_proposed_is_refused_by_name_and_written_down(stage, safe, change, rule) -> None:
    with pytest.raises(Denied) as refused:
        await stage.service.proposing.propose(wish(safe, **change), CAROL)
    assert refused.value.rule == rule
    (event,) = await stage.journal.stream("proposal-denied")
    assert msgspec.json.decode(event.data)["rule"] == rule
    assert event.actor == "carol"


async def test_a_fee_rate_is_never_guessed(stage, safe) -> None:
    stage.chain.estimate = None
    with pytest.raises(Denied) as refused:
        await stage.service.proposing.propose(wish(safe), CAROL)
    assert refused.value.rule == "spending.fee-rate-unknown"
    named = await stage.service.proposing.propose(wish(safe, fee_rate_sat_kvb=1), CAROL)
    assert named.proposal.fee_sat * 4 >= named.proposal.weight_wu  # at least what the node relays


async def test_recovery_waits_for_its_coins(stage, safe) -> None:
    young = stage.chain.fund(safe, 5_000_000, 9, height=stage.chain.height)
    with pytest.raises(Denied) as refused:
        await stage.service.proposing.propose(wish(safe, path="recovery", coins=(young.outpoint,)), CAROL)
    assert refused.value.rule == "coins.immature"
    stage.chain.height += 9
    ripe = await stage.service.proposing.propose(wish(safe, path="recovery", coins=(young.outpoint,)), CAROL)
    from shared.bitcoin.psbt.psbt import Psbt

    assert [entry.sequence for entry in Psbt.parse(ripe.proposal.psbt).tx.inputs] == [10] * len(ripe.proposal.inputs)
    await stage.seal(ripe.proposal_id)
    with pytest.raises(Denied) as role:
        await stage.service.approve(ripe.proposal_id, stage.yes(ripe.proposal_id, "ann"))
    assert role.value.rule == "approval.role"
    await stage.service.approve(ripe.proposal_id, stage.yes(ripe.proposal_id, "rosa"))


async def test_two_proposals_never_hold_one_coin(stage, safe) -> None:
    held: set[tuple[str, int]] = set()
    for _ in range(4):
        progress = await stage.service.proposing.propose(wish(safe), CAROL)
        assert not held & set(progress.proposal.inputs)
        held |= set(progress.proposal.inputs)
    with pytest.raises(Denied) as refused:
        await stage.service.proposing.propose(wish(safe), CAROL)
    assert refused.value.rule == "coins.insufficient"
    await stage.service.cancel(progress.proposal_id, CAROL, "not needed")
    again = await stage.service.proposing.propose(wish(safe), CAROL)
    assert again.proposal.change_index == 4  # no change address is used twice


async def test_a_refresh_sends_coins_back_to_the_contract(stage, safe) -> None:
    coins = await stage.chain.coins(safe)
    progress = await stage.propose(safe, 0, coins=tuple(coin.outpoint for coin in coins))
    assert progress.proposal.change_sat == sum(c.amount_sat for c in coins) - progress.proposal.fee_sat
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is S.BROADCAST


async def test_an_approval_by_two_keys_of_one_person_is_refused_before_a_box_does(stage, safe) -> None:
    progress = await stage.propose(safe)
    wanted, phone = stage.service.approval(progress.proposal_id), SigningKey.generate()
    too = Approver("ann-phone", "ann", "approver", phone.verify_key.encode())
    policy = msgspec.structs.replace(safe.policy, approvers=(*safe.policy.approvers, too))
    sealed = seal(APPROVAL_DOMAIN, wanted, [PEOPLE["ann"], phone])
    with pytest.raises(Denied) as refused:
        approver_of(sealed, wanted, msgspec.structs.replace(safe, policy=policy), stage.chain.height)
    assert refused.value.rule == "approval.duplicate"


async def test_approvals_are_of_two_other_persons_for_this_transaction(stage, safe) -> None:
    progress = await stage.propose(safe)
    other = await stage.propose(safe)
    wanted = stage.service.approval(progress.proposal_id)

    async def refused(sealed: bytes) -> str:
        with pytest.raises(Denied) as told:
            await stage.service.approve(progress.proposal_id, sealed)
        return told.value.rule

    def signed(person: str, **change) -> bytes:
        return seal(APPROVAL_DOMAIN, msgspec.structs.replace(wanted, **change), [PEOPLE[person]])

    assert await refused(stage.yes(progress.proposal_id, "carol")) == "approval.initiator"
    assert await refused(stage.yes(other.proposal_id, "ann")) == "approval.other-tx"
    assert await refused(signed("ann", external_sat=5)) == "approval.other-tx"
    assert await refused(signed("ann", network="main")) == "approval.other-tx"
    assert await refused(signed("ann", policy_version=2)) == "approval.policy-version"
    assert await refused(signed("ann", expiry_height=999)) == "approval.expired"
    assert await refused(signed("ann", initiator="mallory")) == "approval.initiator"
    assert await refused(signed("ann", role="recovery")) == "approval.role"
    assert await refused(seal(b"bes/other/v1", wanted, [PEOPLE["ann"]])) == "approval.unknown-approver"
    assert await refused(seal(APPROVAL_DOMAIN, wanted, [PEOPLE["ann"], PEOPLE["ben"]])) == "approval.duplicate"
    await stage.approve(progress.proposal_id, "ann")
    assert await refused(stage.yes(progress.proposal_id, "ann")) == "approval.duplicate"
    assert progress.status is S.SEALED
    await stage.approve(progress.proposal_id, "ben")
    assert progress.status is S.SIGNING


async def test_a_new_policy_voids_what_was_proposed_under_the_old_one(stage, safe) -> None:
    progress = await stage.propose(safe)
    yes = stage.yes(progress.proposal_id, "ann")
    policy = msgspec.structs.replace(safe.policy, policy_version=2)
    stage.contracts[safe.contract_id] = msgspec.structs.replace(safe, policy=policy)
    with pytest.raises(Denied) as refused:
        await stage.service.approve(progress.proposal_id, yes)
    assert refused.value.rule == "approval.policy-version"
    await stage.service.tick()
    assert (progress.status, progress.rule) == (S.REFUSED, "proposal.policy-changed")


async def test_without_approvals_it_expires(stage, safe) -> None:
    progress = await stage.service.proposing.propose(wish(safe, expiry_blocks=5), CAROL)
    stage.chain.height += 4
    await stage.service.tick()
    assert progress.status is S.PROPOSED
    stage.chain.height += 1
    await stage.service.tick()
    assert progress.status is S.EXPIRED
    with pytest.raises(Denied) as refused:
        await stage.approve(progress.proposal_id, "ann")
    assert refused.value.rule == "proposal.wrong-status"


async def test_what_boxes_were_asked_to_sign_cannot_be_taken_back(stage, safe) -> None:
    progress = await stage.propose(safe)
    with pytest.raises(Denied) as reason:
        await stage.service.cancel(progress.proposal_id, CAROL, " ")
    assert reason.value.rule == "spending.reason-missing"
    await stage.approve(progress.proposal_id)
    with pytest.raises(Denied) as refused:
        await stage.service.cancel(progress.proposal_id, CAROL, "changed my mind")
    assert refused.value.rule == "proposal.wrong-status"
    with pytest.raises(Denied) as unknown:
        await stage.service.cancel("s-0", Person("ann"), "x")
    assert unknown.value.rule == "proposal.unknown"


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"per_tx_sat": 1_000_000}, "verdict.tx-limit"),
        ({"window_sat": 1_000_000}, "verdict.window-limit"),
        ({"lifetime_sat": 1_000_000}, "verdict.lifetime-limit"),
        ({"fee_sat": 10}, "verdict.fee-limit"),
        ({"fee_rate_sat_vb": 4}, "verdict.fee-rate-limit"),
        ({"weight_wu": 100}, "verdict.weight-limit"),
    ],
)
async def test_the_verdict_keeps_the_limits(stage, safe, limits, rule) -> None:
    known: Limits = msgspec.structs.replace(safe.policy.limits, **limits)
    policy = msgspec.structs.replace(safe.policy, limits=known)
    stage.contracts[safe.contract_id] = msgspec.structs.replace(safe, policy=policy)
    progress = await stage.propose(safe, 1_000_000)
    await stage.approve(progress.proposal_id)
    assert (progress.status, progress.rule) == (S.REFUSED, rule)


async def test_salami_is_counted_together(stage, safe) -> None:
    known = msgspec.structs.replace(safe.policy.limits, window_sat=2_500_000)
    policy = msgspec.structs.replace(safe.policy, limits=known)
    stage.contracts[safe.contract_id] = msgspec.structs.replace(safe, policy=policy)
    found = []
    for _ in range(3):
        progress = await stage.propose(safe, 1_000_000)
        await stage.approve(progress.proposal_id)
        found.append(progress.rule)
    assert found == ["", "", "verdict.window-limit"]


async def test_destinations_are_listed_and_cooled(stage, safe) -> None:
    fresh = msgspec.structs.replace(safe.policy.allow_list[0], added_at_height=stage.chain.height - 9)
    for allowed, rule in (((), "verdict.unlisted"), ((fresh,), "verdict.cooling")):
        policy = msgspec.structs.replace(safe.policy, allow_list=allowed)
        stage.contracts[safe.contract_id] = msgspec.structs.replace(safe, policy=policy)
        progress = await stage.propose(safe, 1_000_000)
        await stage.approve(progress.proposal_id)
        assert (progress.status, progress.rule) == (S.REFUSED, rule)
