"""A proof of control is signed, logged and free; a spend that calls itself a proof is neither."""

import pytest

from agent.signer.ledger import EntryKind
from shared.bitcoin.message import to_sign, to_spend
from shared.bitcoin.psbt import build
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.transaction import TxOut
from tests.agent.signer.scene import SUPPLIER, Box, approvals, coin, payment, with_tx

MESSAGE = "these coins are ours at height 1000"


def proof(message: str = MESSAGE) -> Psbt:
    derived = coin().descriptor.derive(0, 0)
    claim = PsbtInput(
        previous_tx=to_spend(message.encode(), derived.script),
        witness_script=derived.witness_script,
        derivations=derived.origins,
    )
    return Psbt(version=0, tx=to_sign(message.encode(), derived.script), inputs=(claim,), outputs=(PsbtOutput(),))


async def ask(box: Box, psbt: Psbt, **changed: object):
    return await box.ask(psbt, **{"message": MESSAGE, "given": approvals(box.subject, psbt, 0)} | changed)


async def test_a_proof_is_signed_and_debits_nothing(box):
    answer = await ask(box, proof())
    assert (answer.outcome, answer.detail) == ("signed", "")
    rows = await box.rows()
    (row,) = [row for row in rows if row.kind == EntryKind.MESSAGE]
    assert row.body == MESSAGE.encode()
    assert EntryKind.DEBIT not in {row.kind for row in rows}
    assert Psbt.parse(answer.psbt).inputs[0].partial_signatures


async def test_a_proof_as_the_controller_lays_it_out_is_signed(box):
    derived = coin().descriptor.derive(0, 0)
    spent, claim = to_spend(MESSAGE.encode(), derived.script), to_sign(MESSAGE.encode(), derived.script)
    answer = await ask(box, build.create(claim, [build.Coin(spent, derived)]))
    assert (answer.outcome, answer.detail) == ("signed", "")


@pytest.mark.parametrize(
    ("psbt", "message"),
    [
        (payment, MESSAGE),
        (lambda: proof("another message"), MESSAGE),
        (lambda: with_tx(proof(), outputs=(TxOut(0, SUPPLIER),)), MESSAGE),
    ],
    ids=["a spend", "another message", "an output that pays"],
)
async def test_what_is_no_proof_of_this_message(box, psbt, message):
    asked = psbt()
    external_sat = 100_000 if asked.tx.outputs[0].amount_sat else 0
    answer = await ask(box, asked, message=message, given=approvals(box.subject, asked, external_sat))
    assert (answer.outcome, answer.rule) == ("refused", "message.mismatch")
    assert box.keys.signed == 0


async def test_a_proof_needs_people(box):
    assert (await ask(box, proof(), given=())).rule == "approval.missing"
    assert (await ask(box, proof(), proposal=b"")).rule == "proposal.missing"


async def test_a_locked_path_proves_nothing(box):
    assert (await ask(box, proof(), path="recovery")).rule == "path.mismatch"


async def test_a_proof_that_calls_itself_a_payment(box):
    assert (await ask(box, proof(), message=None)).rule == "path.mismatch"
