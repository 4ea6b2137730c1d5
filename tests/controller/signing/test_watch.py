"""What the chain does to final transactions."""

import msgspec
import pytest

from controller.signing.event import codec
from controller.signing.model import ProposalStatus
from shared.bitcoin.kernel import Verdict
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import Transaction
from shared.crypto.signing import seal
from shared.errors import Denied, GatewayUnavailable
from shared.wire.codec import encode
from shared.wire.signing import Packet, domain
from shared.wire.version import WIRE_VERSION
from tests.controller.signing.money import CAROL, OPERATOR

S = ProposalStatus


async def done(stage, contract, amount_sat: int = 1_000_000, **more):
    progress = await stage.propose(contract, amount_sat, **more)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is S.BROADCAST
    return progress


async def test_a_reorganised_transaction_is_broadcast_again_and_confirms_again(stage, safe) -> None:
    progress = await done(stage, safe)
    stage.chain.mine()
    await stage.service.tick()
    first = progress.block
    stage.chain.reorganise(1)
    await stage.service.tick()
    assert progress.status is S.REORGANISED
    await stage.run()
    assert progress.status is S.BROADCAST
    assert len(stage.chain.broadcasts) == 2
    assert len(set(stage.chain.broadcasts)) == 1
    stage.chain.mine(blocks=3)
    await stage.service.tick()
    assert progress.status is S.BURIED
    assert progress.block != first


async def test_a_block_that_was_exchanged_for_one_with_the_same_transaction(stage, safe) -> None:
    progress = await done(stage, safe)
    stage.chain.mine()
    await stage.service.tick()
    tx = Transaction.parse(progress.final.raw)
    stage.chain.reorganise(1)
    stage.chain.mined[tx.txid] = (await stage.chain.tip(), tx)
    await stage.service.tick()
    assert progress.status is S.CONFIRMED
    assert progress.block == await stage.chain.tip()
    assert len(stage.chain.broadcasts) == 1


async def test_what_the_node_forgot_is_broadcast_again(stage, safe) -> None:
    progress = await done(stage, safe)
    stage.chain.mempool.clear()
    await stage.service.tick()
    await stage.run()
    assert progress.proposal.txid in stage.chain.mempool
    assert progress.broadcasts == 2


async def test_a_node_that_is_away_delays_and_loses_nothing(stage, safe) -> None:
    progress = await stage.propose(safe)
    yes = [stage.yes(progress.proposal_id, person) for person in ("ann", "ben")]
    await stage.service.approve(progress.proposal_id, yes[0])
    stage.chain.down = True
    with pytest.raises(GatewayUnavailable):
        await stage.service.approve(progress.proposal_id, yes[1])
    stage.chain.down = False
    await stage.service.approve(progress.proposal_id, yes[1])
    stage.chain.down = True
    await stage.run()  # boxes answer meanwhile, and their answers are kept
    assert progress.status is S.SIGNING
    assert set(progress.signatures["quorum"]) == {"a", "b"}
    with pytest.raises(GatewayUnavailable):
        await stage.service.tick()
    stage.chain.down = False
    await stage.service.tick()
    await stage.run()
    assert progress.status is S.BROADCAST


async def test_a_higher_fee_replaces_and_the_former_version_ends(stage, safe) -> None:
    first = await done(stage, safe)
    second = await stage.service.proposing.replace(first.proposal_id, 20_000, CAROL, "it waits too long")
    assert set(first.proposal.inputs) <= set(second.proposal.inputs)
    assert second.proposal.inputs[0] == first.proposal.inputs[0]
    assert second.proposal.payments == first.proposal.payments
    assert second.proposal.family == (first.proposal.txid,)
    await stage.approve(second.proposal_id)
    await stage.run()
    third = await stage.service.proposing.replace(second.proposal_id, 40_000, CAROL, "still waiting")
    assert third.proposal.family == (first.proposal.txid, second.proposal.txid)
    await stage.approve(third.proposal_id)
    await stage.run()
    assert list(stage.chain.mempool) == [third.proposal.txid]
    stage.chain.mine(blocks=3)
    await stage.service.tick()
    assert (first.status, second.status, third.status) == (S.REPLACED, S.REPLACED, S.BURIED)
    assert first.replaced_by == third.proposal_id
    spent = third.proposal.external_sat + third.proposal.fee_sat
    assert stage.board.spent_sat(safe.contract_id, 0, without=("0" * 64, 0)) == spent


async def test_a_replacement_that_came_too_late_ends_when_the_first_is_buried(stage, safe) -> None:
    first = await done(stage, safe)
    second = await stage.service.proposing.replace(first.proposal_id, 20_000, CAROL, "it waits too long")
    stage.chain.mine(blocks=3)
    await stage.service.tick()
    assert first.status is S.BURIED
    assert (second.status, second.rule) == (S.REFUSED, "proposal.superseded")


async def test_a_replacement_must_pay_for_what_it_evicts(stage, safe) -> None:
    first = await done(stage, safe)
    with pytest.raises(Denied) as refused:
        await stage.service.proposing.replace(first.proposal_id, 5_100, CAROL, "a little more")
    assert refused.value.rule == "replacement.fee-too-low"
    stage.chain.mine()
    await stage.service.tick()
    with pytest.raises(Denied) as confirmed:
        await stage.service.proposing.replace(first.proposal_id, 50_000, CAROL, "too late")
    assert confirmed.value.rule == "replacement.not-replaceable"


async def test_a_child_lifts_its_parents_to_the_rate(stage, safe) -> None:
    parent = await done(stage, safe, fee_rate_sat_kvb=1_000)
    child = await stage.service.proposing.help(parent.proposal_id, 15_000, CAROL, "stuck")
    assert child.proposal.inputs == ((parent.proposal.txid, parent.proposal.change_place),)
    assert child.proposal.external_sat == 0
    await stage.approve(child.proposal_id)
    await stage.run()
    assert child.status is S.BROADCAST
    fees = parent.proposal.fee_sat + child.proposal.fee_sat
    weight_wu = parent.final.weight_wu + child.final.weight_wu
    assert fees * 4_000 >= 15_000 * weight_wu
    with pytest.raises(Denied) as no_room:
        await stage.service.proposing.help(child.proposal_id, 100_000_000, CAROL, "at any price")
    assert no_room.value.rule == "replacement.no-room"


async def test_without_change_there_is_nothing_to_help_with(stage, safe) -> None:
    coins = await stage.chain.coins(safe)
    progress = await stage.propose(safe, 9_998_500, coins=(coins[0].outpoint,), fee_rate_sat_kvb=7_000)
    assert progress.proposal.change_place is None
    await stage.approve(progress.proposal_id)
    await stage.run()
    with pytest.raises(Denied) as refused:
        await stage.service.proposing.help(progress.proposal_id, 15_000, CAROL, "stuck")
    assert refused.value.rule == "child.nothing-stuck"


async def test_coins_that_another_transaction_has_spent_end_the_proposal_after_its_depth(stage, safe) -> None:
    progress = await done(stage, safe)
    tx = stage.chain.mempool.pop(progress.proposal.txid)
    other = Transaction(2, tx.inputs, tx.outputs[:1], 0)
    stage.chain.mempool[other.txid] = other
    stage.chain.mine(other.txid)
    await stage.service.tick()
    assert progress.conflict_height == stage.chain.height
    assert progress.status is S.BROADCAST
    stage.chain.height += 3
    await stage.service.tick()
    assert (progress.status, progress.rule) == (S.REFUSED, "broadcast.conflict")


async def test_what_the_node_refuses_keeps_its_coins_until_the_node_takes_it(stage, safe) -> None:
    stage.chain.refuses = "min relay fee not met"
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is S.FINALISED
    assert progress.node_reason == "min relay fee not met"
    assert set(progress.proposal.inputs) <= stage.board.reserved().keys()
    stage.chain.height = progress.proposal.expiry_height
    stage.chain.refuses = "mempool full"
    events = progress.version
    for _ in range(3):
        await stage.service.tick()
    assert (progress.status, progress.node_reason, progress.version) == (S.FINALISED, "mempool full", events + 1)
    assert not stage.chain.mempool
    stage.chain.refuses = ""
    await stage.service.tick()
    await stage.run()
    assert (progress.status, progress.node_reason) == (S.BROADCAST, "")
    assert list(stage.chain.mempool) == [progress.proposal.txid]


async def test_a_replacement_ends_what_the_node_refuses(stage, safe) -> None:
    stage.chain.refuses = "min relay fee not met"
    first = await stage.propose(safe)
    await stage.approve(first.proposal_id)
    await stage.run()
    second = await stage.service.proposing.replace(first.proposal_id, 20_000, CAROL, "the floor rose")
    stage.chain.refuses = ""
    await stage.approve(second.proposal_id)
    await stage.run()
    stage.chain.mine(second.proposal.txid, blocks=3)
    await stage.service.tick()
    assert (first.status, second.status) == (S.REPLACED, S.BURIED)


async def test_a_child_of_what_waits_is_no_conflict(stage, safe) -> None:
    parent = await done(stage, safe, fee_rate_sat_kvb=1_000)
    child = await stage.service.proposing.help(parent.proposal_id, 15_000, CAROL, "stuck")
    await stage.approve(child.proposal_id)
    await stage.run()
    stage.chain.mempool.clear()
    stage.chain.refuses = "missing-inputs"  # the parent fell out of the mempool
    for _ in range(5):
        stage.chain.height += 1
        await stage.service.tick()
    assert (parent.status, child.status) == (S.BROADCAST, S.BROADCAST)
    assert child.conflict_height is None


async def test_who_may_have_signed_keeps_the_coins_until_all_have_refused(stage, safe) -> None:
    stage.box(safe, "b").silent = True
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    stage.chain.height = progress.proposal.expiry_height
    await stage.service.tick()
    assert progress.status is S.LAPSED
    assert set(progress.proposal.inputs) <= stage.board.reserved().keys()
    assert stage.conductor.due_ms() is None
    late = stage.box(safe, "b")
    (request,) = late.requests
    await stage.service.answered(
        "tx1", "box-b", late.said(request, progress.proposal.txid, "refused", b"", "request.expired")
    )
    assert progress.status is S.LAPSED  # c signs by file, and who knows
    again = await stage.service.proposing.replace(progress.proposal_id, 20_000, CAROL, "to have the coins back")
    assert set(progress.proposal.inputs) <= set(again.proposal.inputs)
    late.silent = False
    await stage.approve(again.proposal_id)
    await stage.run()
    stage.chain.mine(blocks=3)
    await stage.service.tick()
    assert (progress.status, again.status) == (S.REPLACED, S.BURIED)


async def test_a_refusal_that_comes_late_frees_the_coins(stage, wallet) -> None:
    progress = await stage.propose(wallet, path="two")
    for party in "abc":
        stage.box(wallet, party).silent = True
    await stage.approve(progress.proposal_id)
    await stage.run()
    stage.chain.height = progress.proposal.expiry_height
    await stage.service.tick()
    assert progress.status is S.LAPSED
    box, node = next((box, box.party) for box in stage.boxes.values() if box.requests)
    packet = box.said(box.requests[0], progress.proposal.txid, "refused", b"", "request.expired")
    await stage.service.answered("tx1", f"box-{node}", packet)
    assert progress.status is S.EXPIRED
    assert not stage.board.reserved()


async def test_a_signature_that_comes_late_completes_what_lapsed(stage, safe) -> None:
    stage.box(safe, "b").silent = True
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    for _ in range(3):
        stage.clock.ms += 601_000
        await stage.service.tick()
        await stage.run()
    stage.chain.height = progress.proposal.expiry_height
    await stage.service.tick()
    assert progress.status is S.LAPSED
    box = stage.box(safe, "b")
    box.silent, first = False, box.requests[0]
    answer = box.said(first, progress.proposal.txid, "signed", box._added(Psbt.parse(first.psbt), first).raw)
    await stage.service.answered("tx1", "box-b", answer)
    await stage.run()
    assert progress.status is S.BROADCAST


async def test_what_lapsed_and_comes_into_a_block_is_seen(stage, safe) -> None:
    stage.box(safe, "b").silent = True
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    stage.chain.height = progress.proposal.expiry_height
    await stage.service.tick()
    stage.chain.mempool[progress.proposal.txid] = Psbt.parse(progress.proposal.psbt).tx
    stage.chain.mine()
    await stage.service.tick()
    assert progress.status is S.CONFIRMED
    stage.chain.reorganise(1)
    await stage.service.tick()
    assert progress.status is S.LAPSED
    other = Transaction(2, Psbt.parse(progress.proposal.psbt).tx.inputs, (), 0)
    stage.chain.mempool[other.txid] = other
    stage.chain.mine()
    await stage.service.tick()
    assert progress.conflict_height == stage.chain.height
    stage.chain.height += 3
    await stage.service.tick()
    assert (progress.status, progress.rule) == (S.REFUSED, "broadcast.conflict")


def stricter(stage, contract, **limits: int):
    policy = msgspec.structs.replace(contract.policy, limits=msgspec.structs.replace(contract.policy.limits, **limits))
    stage.contracts[contract.contract_id] = msgspec.structs.replace(contract, policy=policy)


async def test_the_rules_are_asked_again_before_a_box_is(stage, safe) -> None:
    stage.box(safe, "a").mood = "limit.tx"
    stage.box(safe, "b").silent = True
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    asked = len(stage.box(safe, "b").requests)
    stricter(stage, safe, per_tx_sat=1)
    stage.clock.ms += 601_000
    await stage.service.tick()
    await stage.run()
    assert len(stage.box(safe, "b").requests) == asked
    assert (progress.status, progress.rule) == (S.LAPSED, "verdict.tx-limit")  # b and c may have signed


async def test_a_verdict_of_another_height_stands_in_the_journal(stage, safe) -> None:
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    heights = []
    stage.journal.subscribe(
        lambda events: heights.extend(codec.decode(e).height for e in events if e.name == "VerdictPassed")
    )
    stage.chain.height += 1
    await stage.run()
    assert heights == [stage.chain.height]
    assert progress.verdict_height == stage.chain.height


async def test_what_the_rules_forbid_meanwhile_is_withheld_and_broadcast_when_they_allow_it(stage, safe) -> None:
    stage.box(safe, "b").silent = True
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    stricter(stage, safe, per_tx_sat=1)
    box = stage.box(safe, "b")
    box.silent = False
    await stage.service.answered("tx1", "box-b", box.answer(stage_packet(stage, safe, "b")))
    await stage.run()
    assert (progress.status, progress.withheld, progress.rule) == (S.FINALISED, True, "verdict.tx-limit")
    assert set(progress.proposal.inputs) <= stage.board.reserved().keys()
    await stage.service.tick()
    await stage.run()
    assert not stage.chain.broadcasts
    stage.contracts[safe.contract_id] = safe
    await stage.service.tick()
    await stage.run()
    assert (progress.status, progress.withheld, progress.rule) == (S.BROADCAST, False, "")


def stage_packet(stage, contract, party: str) -> bytes:
    request = stage.box(contract, party).requests[-1]
    return encode(Packet(WIRE_VERSION, "request", seal(domain("request"), request, [OPERATOR])))


async def test_a_judge_without_a_verdict_is_asked_again(stage, safe) -> None:
    judge, stage.conductor._office.judge = stage.conductor._office.judge, Silent()
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    stage.chain.height = progress.proposal.expiry_height
    await stage.service.tick()
    assert progress.status is S.SIGNING
    stage.conductor._office.judge = judge
    await stage.service.tick()
    await stage.run()
    assert progress.status is S.BROADCAST


class Silent:
    def accepts(self, raw: bytes, spent: object) -> Verdict:
        return Verdict(False, None, "it died")


async def test_what_the_judge_refuses_is_never_broadcast(stage, safe) -> None:
    class Never:
        def accepts(self, raw: bytes, spent: object) -> Verdict:
            return Verdict(False, 0, "no")

    stage.conductor._office.judge = Never()
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert (progress.status, progress.rule) == (S.REFUSED, "signing.judge")
    assert not stage.chain.broadcasts
