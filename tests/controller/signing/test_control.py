"""A proof of control goes the way of a payment, ends as a text that an outsider checks, and moves nothing."""

import pytest

from controller.signing import control
from controller.signing.control import ControlRequest
from controller.signing.model import ProposalStatus
from shared.bitcoin import message as bip322
from shared.bitcoin.message import Outcome
from shared.errors import Denied
from tests.controller.signing.money import CAROL, NETWORK

MESSAGE = "auditor 7f3a, block 200: these coins are ours"


def asked(contract, **changes) -> ControlRequest:
    given = {"path": contract.terms.paths[0].name, "branch": 0, "index": 0, "message": MESSAGE, "reason": "audit"}
    return ControlRequest(contract_id=contract.contract_id, **given | changes)


@pytest.mark.parametrize("kind", ["safe", "wallet"])
async def test_boxes_prove_control_by_quorum_and_as_one_key(stage, request, kind) -> None:
    contract = request.getfixturevalue(kind)
    progress = await stage.service.proposing.prove(asked(contract), CAROL)
    await stage.seal(progress.proposal_id)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert (progress.status, progress.detail) == (ProposalStatus.PROVEN, "")
    proven = progress.control
    assert bip322.verify(MESSAGE.encode(), proven.address, NETWORK, proven.signature).outcome is Outcome.VALID
    other = bip322.verify(b"something else", proven.address, NETWORK, proven.signature)
    assert other.outcome is Outcome.INVALID
    assert (stage.chain.broadcasts, proven.height) == ([], stage.chain.height)
    assert all(one.message == MESSAGE for one in stage.box(contract, "a").requests)


async def test_a_proof_survives_a_restart_and_reserves_no_coin(stage, safe) -> None:
    progress = await stage.service.proposing.prove(asked(safe), CAROL)
    await stage.seal(progress.proposal_id)
    payment = await stage.propose(safe)
    assert payment.status is ProposalStatus.SEALED
    assert stage.service.board.spent_sat(safe.contract_id, 0, without=("", 0)) == 0
    await stage.restore()
    again = stage.service.board.progress(progress.proposal_id)
    assert (again.status, again.proposal.message) == (ProposalStatus.SEALED, MESSAGE)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"path": "recovery"}, "control.locked-path"),
        ({"message": "  "}, "control.bad-message"),
        ({"message": "x" * 2_001}, "control.bad-message"),
        ({"branch": 2}, "control.bad-address"),
        ({"index": 10_001}, "control.bad-address"),
        ({"reason": " "}, "spending.reason-missing"),
        ({"expiry_blocks": 0}, "spending.bad-expiry"),
    ],
)
async def test_what_proves_nothing_is_refused_by_name(stage, safe, changes, rule) -> None:
    with pytest.raises(Denied) as denied:
        await stage.service.proposing.prove(asked(safe, **changes), CAROL)
    assert denied.value.rule == rule


async def test_a_proof_that_no_outsider_takes_ends_by_name(stage, safe, monkeypatch) -> None:
    monkeypatch.setattr(control, "verify", lambda *_: bip322.Proof(Outcome.INCONCLUSIVE, "an unknown version"))
    progress = await stage.service.proposing.prove(asked(safe), CAROL)
    await stage.seal(progress.proposal_id)
    await stage.approve(progress.proposal_id)
    await stage.run()
    assert (progress.status, progress.rule) == (ProposalStatus.REFUSED, "control.not-proven")
