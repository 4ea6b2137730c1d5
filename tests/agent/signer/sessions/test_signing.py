"""A payment that is allowed gets exactly one debit and signatures that verify, however often it is asked for."""

import asyncio
from dataclasses import replace

from agent.signer.ledger import EntryKind
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import verify_ecdsa, verify_schnorr
from tests.agent.signer.scene import MASTERS, TREE, Box, coin, payment


def kinds(rows) -> list[str]:
    return [row.kind for row in rows if row.kind in ("debit", "answer", "refusal")]


async def test_an_allowed_payment_is_debited_signed_and_answered(box):
    coins = [coin(index=index) for index in (0, 3)]
    asked = payment(coins=coins)
    answer = await box.ask(asked)
    assert (answer.outcome, answer.rule, answer.detail) == ("signed", "", "")
    rows = await box.rows()
    assert kinds(rows) == ["debit", "answer"]
    assert next(row.debit_sat for row in rows if row.kind == EntryKind.DEBIT) == 102_000
    assert (answer.ledger_seq, answer.ledger_head) == (rows[-1].seq, rows[-1].digest)
    returned = Psbt.parse(answer.psbt)
    sighasher = Sighasher(asked.tx, [each.previous.outputs[0] for each in coins])
    for index, each in enumerate(coins):
        key = MASTERS["a"].derive((0, each.index)).public_key
        signature = returned.inputs[index].partial_signatures[key]
        assert signature[-1] == SIGHASH_ALL
        digest = sighasher.segwit_v0(index, each.as_input.witness_script)
        assert verify_ecdsa(key, digest, signature[:-1])
    bare = tuple(replace(each, partial_signatures={}) for each in returned.inputs)
    assert replace(returned, inputs=bare).raw == asked.raw, "signatures were added and nothing else"


async def test_a_leaf_is_signed_by_schnorr(tree_box):
    asked = payment(TREE)
    answer = await tree_box.ask(asked)
    assert answer.outcome == "signed", answer.detail
    returned = Psbt.parse(answer.psbt)
    leaf = coin(TREE).descriptor.derive(0, 0).leaves[0]
    ((key, signature),) = returned.inputs[0].tap_script_signatures.items()
    assert key.leaf_hash == leaf.leaf_hash
    digest = Sighasher(asked.tx, [coin(TREE).previous.outputs[0]]).taproot(0, leaf_script=leaf.script)
    assert verify_schnorr(key.key, digest, signature)


async def test_a_repeated_request_gets_the_stored_answer(box):
    request = box.request(payment())
    first = await box.sessions.answer(request)
    signed = box.keys.signed
    again = await box.sessions.answer(request)
    assert again == first
    assert box.keys.signed == signed
    assert kinds(await box.rows()) == ["debit", "answer"]


async def test_the_same_transaction_again_is_signed_and_not_debited(box):
    await box.ask(payment())
    again = await box.ask(payment())
    assert again.outcome == "signed"
    assert kinds(await box.rows()) == ["debit", "answer", "answer"]


async def test_requests_at_once_share_one_ledger_and_no_coin(box):
    requests = [box.request(payment(coins=[coin(salt=salt)])) for salt in range(5)]
    answers = await asyncio.gather(*map(box.sessions.answer, [*requests, *requests]))
    assert {answer.outcome for answer in answers} == {"signed"}
    assert kinds(await box.rows()).count("debit") == 5


async def test_a_crash_after_the_debit_costs_nothing_twice(box):
    """The box dies between debit and answer; the same request comes again."""
    request = box.request(payment())

    def die(*_: object) -> bytes:
        raise RuntimeError("power cut")

    honest, box.keys.sign_ecdsa = box.keys.sign_ecdsa, die
    result = await asyncio.gather(box.sessions.answer(request), return_exceptions=True)
    assert isinstance(result[0], RuntimeError)
    assert kinds(await box.rows()) == ["debit"]
    box.keys.sign_ecdsa = honest
    assert (await box.sessions.answer(request)).outcome == "signed"
    assert kinds(await box.rows()) == ["debit", "answer"]


async def test_contracts_and_policies_are_read_back_from_the_ledger(box, tmp_path):
    await box.close()
    second = Box(tmp_path)
    await second.ledger.open()
    await second.registry.load()
    assert second.registry.contracts[box.subject].policies == box.registry.contracts[box.subject].policies
    assert (await second.ask(payment())).outcome == "signed"
    await second.close()
    await box.ledger.open()  # the fixture closes it


async def test_a_fee_bump_costs_only_the_extra_fee(box):
    first = payment(fee_sat=2_000)
    await box.ask(first)
    bumped = payment(fee_sat=5_000)
    answer = await box.ask(bumped, family=(first.txid,))
    assert answer.outcome == "signed"
    debits = [row.debit_sat for row in await box.rows() if row.kind == EntryKind.DEBIT]
    assert debits == [102_000, 3_000]


async def test_the_request_is_never_trusted_about_amounts(box):
    """Version 0 input without witness_utxo: the previous transaction alone proves it."""
    asked = payment()
    bare = tuple(replace(each, witness_utxo=None) for each in asked.inputs)
    assert (await box.ask(replace(asked, inputs=bare))).outcome == "signed"
