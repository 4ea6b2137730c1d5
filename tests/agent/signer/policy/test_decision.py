"""The decision as a pure function: everything that it looks at is in the case."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.signer.policy import Case, Contract, Permit, decide
from agent.signer.policy.decision import PAYMENT, PROOF
from agent.signer.policy.form import read
from agent.signer.policy.weight import signed_weight_wu
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.psbt import PsbtOutput
from shared.bitcoin.psbt.value import LeafKey
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import sign_ecdsa, sign_schnorr
from shared.bitcoin.transaction import TxOut
from shared.errors import Denied
from shared.wire.contract import contract_id
from shared.wire.signing import SigningRequest
from tests.agent.signer.scene import (
    HEIGHT,
    MASTERS,
    SUPPLIER,
    TREE,
    WSH,
    approvals,
    coin,
    parsed,
    payment,
    policy,
    proposal,
    terms,
)


def case_of(psbt, descriptor: str = WSH, *, claimed=None, **policy_changed: object) -> Case:
    known = terms(descriptor)
    subject = contract_id(known)
    contract = Contract(subject, known, parsed(known.descriptor), ())
    contract = contract.with_policy(policy(subject, **policy_changed), 0)
    request = SigningRequest(
        request_id="request-1",
        site="tx1",
        node="box-1",
        contract_id=subject,
        policy_version=1,
        path="normal",
        psbt=psbt.raw,
        proposal=proposal(subject, psbt, 100_000),
        approvals=approvals(subject, psbt, 100_000),
        expires_at_ms=1,
        expires_at_height=1,
    )
    return Case(request, claimed or psbt, contract, contract.policies[0], contract.path("normal"), HEIGHT)


def rule_of(case: Case) -> str:
    try:
        decide(case)
    except Denied as denied:
        return denied.rule
    return ""


def test_an_honest_payment_is_permitted():
    psbt = payment()
    assert decide(case_of(psbt)) == Permit(psbt.txid, 100_000, psbt.tx.outputs[:1], 2_000)


def test_no_check_is_left_out():
    assert len(set(PAYMENT)) == len(PAYMENT) == 14
    assert len(set(PROOF)) == len(PROOF)


@settings(deadline=None)
@given(place=st.integers(0, len(payment().raw) - 1), flip=st.integers(1, 255))
def test_no_changed_byte_gets_another_transaction_permitted(place, flip):
    raw = bytearray(payment().raw)
    raw[place] ^= flip
    try:
        permit = decide(case_of(payment(), claimed=read(bytes(raw))))
    except Denied:
        return
    assert permit.txid == payment().txid


def test_one_outpoint_twice():
    plain = payment()
    doubled = replace(plain, tx=replace(plain.tx, inputs=plain.tx.inputs * 2), inputs=plain.inputs * 2)
    assert rule_of(case_of(payment(), claimed=doubled)) == "input.duplicate"


@pytest.mark.parametrize("script", [b"\x51", bytes(35), b"\x6a"], ids=["anyone", "unknown", "data"])
def test_even_listed_scripts_must_be_standard(script):
    psbt = payment(pays=(TxOut(100_000, script),))
    case = case_of(psbt)
    listed = replace(case, accepted=replace(case.accepted, payable_from={script: 0}))
    assert rule_of(listed) == "output.nonstandard"


def test_more_outputs_than_relay_well():
    psbt = payment(coins=[coin(amount_sat=700_000)], pays=(TxOut(300, SUPPLIER),) * 2_001)
    assert rule_of(case_of(psbt)) == "output.count"


def test_no_outputs_at_all():
    empty = replace(payment(), tx=replace(payment().tx, outputs=()), outputs=())
    assert rule_of(case_of(payment(), claimed=empty)) == "output.count"


@settings(deadline=None)
@given(fee_sat=st.integers(0, 60_000))
def test_fee_ceilings_are_exact(fee_sat):
    case = case_of(payment(fee_sat=fee_sat))
    limits = case.accepted.policy.limits
    vsize_vb = (signed_weight_wu(case) + 3) // 4
    if fee_sat > limits.fee_sat:
        assert rule_of(case) == "fee.absolute"
    elif fee_sat > limits.fee_rate_sat_vb * vsize_vb:
        assert rule_of(case) == "fee.rate"
    else:
        assert rule_of(case) == ""


@pytest.mark.parametrize("descriptor", [WSH, TREE], ids=["wsh", "tr"])
def test_the_predicted_weight_is_never_less_than_the_real_one(descriptor):
    psbt = payment(descriptor, coins=[coin(descriptor, index=index) for index in range(3)])
    case = case_of(psbt, descriptor)
    sighasher = Sighasher(psbt.tx, case.coins)
    inputs = []
    for index, (place, claimed) in enumerate(zip(case.places, psbt.inputs, strict=True)):
        keys = [MASTERS[name].derive((0, place.index)) for name in "ab"]
        if place.derived.witness_script:
            digest = sighasher.segwit_v0(index, place.derived.witness_script)
            signatures = {key.public_key: sign_ecdsa(key.secret, digest) + b"\x01" for key in keys}
            inputs.append(replace(claimed, partial_signatures=signatures))
        else:
            leaf = place.derived.leaves[0]
            digest = sighasher.taproot(index, leaf_script=leaf.script)
            named = {LeafKey(k.public_key[1:], leaf.leaf_hash): sign_schnorr(k.secret, digest, bytes(32)) for k in keys}
            inputs.append(replace(claimed, tap_script_signatures=named))
    real_wu = finalise(replace(psbt, inputs=tuple(inputs))).weight_wu
    predicted_wu = signed_weight_wu(case)
    assert real_wu <= predicted_wu <= real_wu + 3 * 8


def test_an_output_that_is_ours_without_marks_is_no_payment():
    """Static keys give no hints: the first index is tried for every output."""
    psbt = payment()
    out = TxOut(psbt.tx.outputs[1].amount_sat, coin(index=0).previous.outputs[0].script)
    changed = replace(
        psbt, tx=replace(psbt.tx, outputs=(psbt.tx.outputs[0], out)), outputs=(psbt.outputs[0], PsbtOutput())
    )
    assert case_of(changed).payments == psbt.tx.outputs[:1]


def test_a_policy_of_an_unknown_version_is_not_in_force():
    case = case_of(payment())
    later = replace(case.accepted, effective_height=HEIGHT + 1)
    contract = replace(case.contract, policies=(later,))
    with pytest.raises(Denied) as caught:
        contract.in_force(HEIGHT)
    assert caught.value.rule == "approval.policy-version"
