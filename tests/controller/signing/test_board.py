"""The journal is all there is: a fresh board is the same board, and a stream never goes a way that does not exist."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.journal import RecordedEvent
from controller.signing import event as fact_of
from controller.signing.board import ProposalBoard
from controller.signing.event import codec, proposal_stream
from controller.signing.keeper import restore
from controller.signing.model import ENDED, AskedBox, ChainPoint, ProposalStatus, Round
from controller.signing.progress import ProposalProgress
from shared.errors import Corrupt

ID, TXID = "s-0", "ab" * 32
POINT = ChainPoint(5, "cd" * 32)
PROPOSED = fact_of.SpendingProposed(
    proposal_id=ID,
    contract_id="00" * 32,
    network="regtest",
    policy_version=1,
    path="quorum",
    fallbacks=(),
    psbt=b"",
    txid=TXID,
    inputs=((TXID, 0),),
    places=((0, 0),),
    payments=(),
    external_sat=1,
    fee_sat=1,
    change_sat=0,
    change_index=None,
    change_place=None,
    weight_wu=4,
    expiry_height=9,
    reason="r",
)
FACTS = (
    fact_of.ProposalSealed(ID, "carol", b""),
    fact_of.ApprovalGiven(ID, "ann", b""),
    fact_of.ProposalApproved(ID, ("ann",)),
    fact_of.VerdictPassed(ID, TXID, ()),
    fact_of.RoundStarted(
        proposal_id=ID,
        attempt=1,
        round=Round.SIGN,
        path="quorum",
        asked=(AskedBox("q", "a", "s", "n"),),
        until_ms=1,
    ),
    fact_of.RequestSent(ID, "q"),
    fact_of.AnswerTaken(proposal_id=ID, request_id="q", party="a", box_id="b", path="quorum", psbt=b""),
    fact_of.BoxRefused(proposal_id=ID, request_id="q", party="a", box_id="b", rule="r", detail=""),
    fact_of.AnswerBlamed(proposal_id=ID, request_id="q", party="a", box_id="b", rule="r", detail=""),
    fact_of.RoundAborted(ID, 1, "r", ""),
    fact_of.ProposalLapsed(ID, "r", ""),
    fact_of.ProposalFinalised(proposal_id=ID, txid=TXID, wtxid=TXID, raw=b"", path="quorum", weight_wu=4),
    fact_of.BroadcastWithheld(ID, "r", ""),
    fact_of.TransactionBroadcast(ID, TXID, 1),
    fact_of.BroadcastRefused(ID, TXID, 1, ""),
    fact_of.ConflictSeen(ID, TXID, 3),
    fact_of.ConflictEnded(ID, TXID),
    fact_of.TransactionConfirmed(ID, TXID, POINT),
    fact_of.TransactionReorganised(ID, TXID, POINT),
    fact_of.TransactionBuried(ID, TXID, POINT, 3),
    fact_of.ProposalExpired(ID, 9),
    fact_of.ProposalRefused(ID, "r", ""),
    fact_of.ProposalCancelled(ID, "r"),
    fact_of.ProposalReplaced(ID, "s-1"),
)


def recorded(fact: msgspec.Struct, version: int) -> RecordedEvent:
    new = codec.encode(fact, "carol")
    return RecordedEvent(version, proposal_stream(ID), version, 0, new.actor, new.name, new.data, b"", b"")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(FACTS), max_size=25))
def test_any_order_of_events_stays_inside_the_state_machine(facts) -> None:
    progress = ProposalProgress(PROPOSED, recorded(PROPOSED, 1))
    kept = [recorded(PROPOSED, 1)]
    for fact in facts:
        before, event = progress.status, recorded(fact, progress.version + 1)
        try:
            assert progress.apply(event, fact)
        except Corrupt:
            assert progress.version == len(kept)  # refused without a trace
            continue
        kept.append(event)
        if progress.approvals or progress.signed:
            assert progress.proposer  # nothing is approved or signed that nobody proposed
        if before in ENDED:
            assert progress.status is before  # an end is an end
        if progress.status in (ProposalStatus.FINALISED, ProposalStatus.BROADCAST, ProposalStatus.REORGANISED):
            assert progress.final is not None
    board = ProposalBoard()
    board.fold(kept)
    board.fold(kept)  # folded twice is folded once
    again = board.find(ID)
    assert again is not None
    assert (again.status, again.version, again.attempt) == (progress.status, progress.version, progress.attempt)
    assert bool(list(board.open())) is not progress.over


def test_a_second_final_transaction_is_corrupt() -> None:
    progress = ProposalProgress(PROPOSED, recorded(PROPOSED, 1))
    final = next(fact for fact in FACTS if isinstance(fact, fact_of.ProposalFinalised))
    for fact in (*FACTS[:7], final):
        progress.apply(recorded(fact, progress.version + 1), fact)
    other = msgspec.structs.replace(final, wtxid="ef" * 32)
    with pytest.raises(Corrupt):
        progress.apply(recorded(other, progress.version + 1), other)


async def test_a_fresh_board_is_the_same_board(stage, safe, wallet) -> None:
    for contract in (safe, wallet):
        progress = await stage.propose(contract)
        await stage.approve(progress.proposal_id)
        await stage.propose(contract)
    await stage.run()
    fresh = ProposalBoard()
    await restore(stage.journal, fresh)
    for contract in (safe, wallet):
        for one, other in zip(
            stage.board.listed(contract.contract_id), fresh.listed(contract.contract_id), strict=True
        ):
            assert (one.status, one.version, one.signatures) == (other.status, other.version, other.signatures)
    assert stage.board.reserved() == fresh.reserved()
