"""From a wish to a transaction that is buried, and every way in which boxes can fail to sign it."""

import asyncio
import base64
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec
import pytest
from structlog.testing import capture_logs

from controller.signing.conductor import REPEAT_MS
from controller.signing.model import ProposalStatus
from controller.signing.progress import REST_MS
from shared.bitcoin.kernel import Verdict
from shared.bitcoin.psbt.build import to_v0, to_v2
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import Transaction, TxOut
from shared.errors import Denied, GatewayUnavailable
from tests.controller.signing.fake_box import Engine, FakeBox
from tests.controller.signing.money import CAROL


async def test_a_payment_from_a_vault_goes_all_the_way(stage, safe) -> None:
    progress = await stage.propose(safe)
    assert progress.status is ProposalStatus.SEALED
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST
    assert list(stage.chain.mempool) == [progress.proposal.txid]
    final = Transaction.parse(progress.final.raw)
    assert abs(final.weight_wu - progress.proposal.weight_wu) <= 4 * len(final.inputs)
    stage.chain.mine()
    await stage.service.tick()
    assert progress.status is ProposalStatus.CONFIRMED
    stage.chain.mine(blocks=2)
    await stage.service.tick()
    assert progress.status is ProposalStatus.BURIED


async def test_a_quorum_that_signed_in_time_is_not_forgotten_by_expiry(stage, safe) -> None:
    """The signatures went over the broker: whoever kept them could pay, while the same bill is proposed anew."""
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    stage.chain.tip, tip = _away, stage.chain.tip
    with suppress(GatewayUnavailable):
        await stage.run()
    assert len(progress.signatures["quorum"]) == 2
    stage.chain.tip = tip
    stage.chain.height = progress.proposal.expiry_height
    await stage.service.tick()
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST


async def test_two_who_complete_it_at_once_write_one_transaction(stage, safe, monkeypatch) -> None:
    """The keeper's look and a box's answer: while one asks the judge, the other has written."""
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    accepts, both = Engine.accepts, threading.Barrier(2)

    def together(engine: Engine, raw: bytes, spent: Sequence[TxOut]) -> Verdict:
        if both.wait(5) == 0:
            time.sleep(0.1)  # the other has written meanwhile
        return accepts(engine, raw, spent)

    monkeypatch.setattr(Engine, "accepts", together)
    tick = asyncio.create_task(_until_asked(stage, both))
    await stage.run()
    await tick
    names = [event.name async for page in stage.journal.since(0) for event in page]
    assert names.count("ProposalFinalised") == 1
    assert progress.status is ProposalStatus.BROADCAST


async def _until_asked(stage, both: threading.Barrier) -> None:
    while not both.n_waiting:
        await asyncio.sleep(0.001)
    await stage.service.tick()


async def test_a_silent_box_is_asked_again_in_the_same_words(stage, safe) -> None:
    progress = await stage.propose(safe)
    with pytest.raises(Denied) as denied:
        await stage.service.ask_again(progress.proposal_id, CAROL)
    assert denied.value.rule == "proposal.wrong-status"
    stage.box(safe, "b").silent = True
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is ProposalStatus.SIGNING
    stage.box(safe, "b").silent = False
    await stage.service.ask_again(progress.proposal_id, CAROL)
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST
    first, again = stage.box(safe, "b").requests
    assert first == again
    assert len(stage.box(safe, "a").requests) == 1


async def test_nobody_is_asked_again_where_nobody_is_silent(stage, safe) -> None:
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    stage.chain.tip = _away
    with suppress(GatewayUnavailable):
        await stage.run()
    assert progress.status is ProposalStatus.SIGNING
    with pytest.raises(Denied) as denied:
        await stage.service.ask_again(progress.proposal_id, CAROL)
    assert denied.value.rule == "proposal.nobody-silent"


async def _away(*_: object) -> None:
    raise GatewayUnavailable("the node is away")


async def test_a_musig_payment_takes_two_rounds_and_one_signature(stage, wallet) -> None:
    progress = await stage.propose(wallet, 15_000_000)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST
    final = Transaction.parse(progress.final.raw)
    assert all(len(entry.witness) == 1 and len(entry.witness[0]) == 64 for entry in final.inputs)
    assert final.weight_wu == progress.proposal.weight_wu
    for party in "abc":
        assert [one.round for one in stage.box(wallet, party).requests] == ["nonce", "partial"]


async def test_a_box_that_forgot_its_nonces_leads_to_fresh_ones(stage, wallet) -> None:
    progress = await stage.propose(wallet)
    await stage.approve(progress.proposal_id)
    box = stage.box(wallet, "b")
    answer = box.answer

    def forgets(packet: bytes) -> bytes | None:
        if len(box.requests) == 1:
            box.restart()
        return answer(packet)

    box.answer = forgets
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST
    assert [one.round for one in box.requests] == ["nonce", "partial", "nonce", "partial"]
    assert progress.final.path == "together"


async def test_where_a_signer_is_down_two_others_sign_the_same_transaction_by_the_leaf(stage, wallet) -> None:
    progress = await stage.propose(wallet)
    assert progress.proposal.fallbacks == ("two",)
    stage.box(wallet, "c").mood = "ledger.unwritable"
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST
    assert progress.final.path == "two"
    assert progress.final.txid == progress.proposal.txid
    assert len(Transaction.parse(progress.final.raw).inputs[0].witness) == 5


async def test_a_silent_box_is_asked_three_times_and_then_left_out(stage, wallet) -> None:
    progress = await stage.propose(wallet)
    stage.box(wallet, "a").silent = True
    await stage.approve(progress.proposal_id)
    for _ in range(4):
        await stage.run()
        stage.clock.ms += 601_000
        await stage.service.tick()
    await stage.run()
    assert progress.final.path == "two"
    assert [one.round for one in stage.box(wallet, "a").requests] == ["nonce"] * 3 or len(
        stage.box(wallet, "a").requests
    ) in (3, 4)


async def test_too_few_boxes_end_the_proposal_by_name(stage, safe) -> None:
    progress = await stage.propose(safe)
    stage.box(safe, "a").mood = "limit.tx"
    stage.box(safe, "b").mood = "limit.tx"
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert (progress.status, progress.rule) == (ProposalStatus.REFUSED, "signing.no-quorum")
    assert not stage.chain.broadcasts
    again = await stage.propose(safe)  # its coins are free again
    assert again.status is ProposalStatus.SEALED


async def test_a_box_that_lives_again_gets_the_request_that_it_lost(stage, safe) -> None:
    """Long before its round is over: the process that was asked died with what it was asked."""
    progress = await stage.propose(safe)
    box = stage.box(safe, "b")
    box.silent = True
    await stage.approve(progress.proposal_id)
    await stage.run()
    box.silent = False
    address = safe.boxes["b"]
    await stage.conductor.box_lives(address.site, address.node)
    assert len(box.requests) == 1  # it may be at it
    stage.clock.ms += REPEAT_MS
    await stage.conductor.box_lives(address.site, "somebody-else")
    assert len(box.requests) == 1
    await stage.conductor.box_lives(address.site, address.node)
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST
    assert box.requests[0] == box.requests[1]


async def test_boxes_that_are_only_silent_end_nothing(stage, safe) -> None:
    progress = await stage.propose(safe)
    for party in ("a", "b"):
        stage.box(safe, party).silent = True
    await stage.approve(progress.proposal_id)
    for _ in range(5):
        await stage.run()
        stage.clock.ms += 601_000
        await stage.service.tick()
    assert progress.status is ProposalStatus.SIGNING
    for party in ("a", "b"):
        stage.box(safe, party).silent = False
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST


async def test_a_box_that_cannot_yet_is_left_alone_for_a_while(stage, safe) -> None:
    """Three refusals within a second would leave out a box whose headers are on the way."""
    progress = await stage.propose(safe)
    stage.box(safe, "a").mood = "clock.stale"
    await stage.approve(progress.proposal_id)
    await stage.run()
    await stage.service.tick()
    assert len(stage.box(safe, "a").requests) == 1
    stage.box(safe, "a").mood = ""
    stage.clock.ms += REST_MS
    await stage.service.tick()
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST


async def test_a_box_that_sends_a_wrong_signature_is_blamed(stage, wallet, safe) -> None:
    stage.box(safe, "a").forge = True
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.failed["quorum", "a"] == "answer.signature"
    assert progress.status is ProposalStatus.SIGNING  # the file of c may still come
    stage.box(wallet, "b").forge = True
    taproot = await stage.propose(wallet)
    await stage.approve(taproot.proposal_id)
    await stage.run()
    assert taproot.failed["together", "b"] == "answer.signature"
    assert taproot.final.path == "two"


async def test_answers_of_others_are_not_believed(stage, safe) -> None:
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    for dispatcher in stage.dispatchers:
        await dispatcher.deliver_due()
    (site, node, packet), *_ = stage.published
    honest, stranger = stage.box(safe, "a"), stage.box(safe, "b")
    good = honest.answer(packet)
    honest.key, kept = stranger.key, honest.key
    forged = honest.answer(packet)
    honest.key = kept
    before = progress.version
    late = honest.said(msgspec.structs.replace(honest.requests[0], request_id="s-0-late"), "", "refused", b"", "x")
    with capture_logs() as told:
        await stage.service.answered(site, node, forged)
        await stage.service.answered(site, node, b"\xc1garbage")
        await stage.service.answered("tx1", "box-b", good)
        await stage.service.answered(site, node, late)
    assert [str(one.get("rule")) for one in told] == ["answer.foreign", "None", "answer.foreign", "answer.unasked"]
    assert progress.version == before
    await stage.service.answered(site, node, good)
    after = progress.version
    await stage.service.answered(site, node, good)  # a second time changes nothing
    assert after == progress.version == before + 1


async def test_an_answer_that_changes_anything_else_is_blamed(stage, safe) -> None:
    def richer(psbt: Psbt) -> Psbt:
        outputs = tuple(TxOut(out.amount_sat - 1, out.script) for out in psbt.tx.outputs)
        return replace(psbt, tx=replace(psbt.tx, outputs=outputs))

    def marked(psbt: Psbt) -> Psbt:
        return replace(psbt, inputs=tuple(replace(one, unknown={b"\xf0x": b"y"}) for one in psbt.inputs))

    def bare(psbt: Psbt) -> Psbt:
        return replace(psbt, inputs=tuple(replace(one, partial_signatures={}) for one in psbt.inputs))

    for change, rule in ((richer, "answer.altered"), (marked, "answer.altered"), (bare, "answer.empty")):
        progress = await stage.propose(safe, 1_000_000)
        await stage.approve(progress.proposal_id)
        box = stage.box(safe, "a")
        added = box._added
        box._added = lambda psbt, request, change=change, added=added: change(added(psbt, request))
        await stage.run()
        box._added = added
        assert progress.failed["quorum", "a"] == rule


@pytest.mark.parametrize("version", [to_v0, to_v2])
async def test_a_party_without_a_box_signs_a_file(stage, safe, version) -> None:
    stage.box(safe, "b").mood = "clock.stale"
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert progress.status is ProposalStatus.SIGNING
    request = stage.box(safe, "a").requests[0]
    signed = version(FakeBox(safe, "c")._added(Psbt.parse(progress.proposal.psbt), request)).raw
    with pytest.raises(Denied) as wrong:
        await stage.service.import_signatures(progress.proposal_id, "b", base64.b64encode(signed), CAROL)
    assert wrong.value.rule == "answer.empty"
    with pytest.raises(Denied) as garbage:
        await stage.service.import_signatures(progress.proposal_id, "c", b"%%%", CAROL)
    assert garbage.value.rule == "answer.malformed"
    await stage.service.import_signatures(progress.proposal_id, "c", base64.b64encode(signed), CAROL)
    await stage.run()
    assert progress.status is ProposalStatus.BROADCAST
