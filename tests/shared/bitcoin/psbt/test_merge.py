from dataclasses import replace

import pytest

from shared.bitcoin.psbt import LeafKey, MusigKey, TapDerivation
from shared.bitcoin.psbt.build import to_v2
from shared.bitcoin.psbt.merge import merge
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import TxOut
from shared.errors import BitcoinMalformed
from tests.shared.bitcoin.psbt.conftest import signatures_only

FOREIGN = public_key_of(b"\x07" * 32)
VAULT = "wsh(or_d(multi(2,<A>,<B>,<C>),and_v(v:pkh(<R>),older(144))))"
WALLET = "tr(musig(<A>,<B>,<C>),{multi_a(2,<A>,<B>,<C>),and_v(v:pk(<R>),older(144))})"


@pytest.fixture
def base(treasury):
    return treasury.spending(treasury.descriptor(VAULT))


@pytest.fixture
def signed(treasury, base):
    return treasury.signers["A"].sign(base)


def with_input(psbt, **changed):
    return replace(psbt, inputs=(replace(psbt.inputs[0], **changed), *psbt.inputs[1:]))


def test_signatures_come_in_and_nothing_is_lost(treasury, base, signed):
    merged = merge(base, signatures_only(signed))
    assert merged == signed
    both = merge(merged, signatures_only(treasury.signers["B"].sign(base)))
    assert [len(entry.partial_signatures) for entry in both.inputs] == [2, 2]
    assert both == merge(merge(base, treasury.signers["B"].sign(base)), signed)


def test_merging_twice_changes_nothing(base, signed):
    merged = merge(base, signed)
    assert merge(merged, signed) == merged


def test_what_a_signer_sends_back_is_small_and_still_a_psbt(base, signed):
    only = signatures_only(signed)
    assert len(only.raw) < len(base.raw) / 3
    assert only.inputs[0].partial_signatures == signed.inputs[0].partial_signatures
    assert only.txid == base.txid


def test_another_transaction_is_refused(base, signed):
    outputs = (TxOut(59_999, base.tx.outputs[0].script), base.tx.outputs[1])
    with pytest.raises(BitcoinMalformed, match=f"and not {base.txid}"):
        merge(base, replace(signed, tx=replace(base.tx, outputs=outputs)))
    with pytest.raises(BitcoinMalformed, match="another version"):
        merge(base, to_v2(signed))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("witness_script", b"\x51"),
        ("redeem_script", b"\x51"),
        ("sighash_type", 1),
        ("final_witness", (b"",)),
        ("tap_internal_key", FOREIGN[1:]),
        ("unknown", {b"\x99": b"x"}),
    ],
)
def test_any_other_field_is_refused_by_name(base, signed, field, value):
    with pytest.raises(BitcoinMalformed, match=f"input 0: its {field} is not what was sent out"):
        merge(base, with_input(signed, **{field: value}))


def test_changed_outputs_and_globals_are_refused(base, signed):
    outputs = (replace(signed.outputs[0], witness_script=b"\x51"), signed.outputs[1])
    with pytest.raises(BitcoinMalformed, match="output 0: its witness_script"):
        merge(base, replace(signed, outputs=outputs))
    with pytest.raises(BitcoinMalformed, match="global map: its unknown"):
        merge(base, replace(signed, unknown={b"\x99": b"x"}))


def test_flags_may_be_cleared_and_not_set(base, signed):
    second = to_v2(base)
    with pytest.raises(BitcoinMalformed, match="let something be modified"):
        merge(second, replace(to_v2(signed), modifiable=1))
    assert merge(replace(second, modifiable=3), replace(to_v2(signed), modifiable=0)).modifiable == 0


def test_another_signature_of_the_same_key_is_refused(base, signed):
    (key, signature), *_ = signed.inputs[0].partial_signatures.items()
    other = signature[:-2] + bytes((signature[-2] ^ 1,)) + signature[-1:]
    with pytest.raises(BitcoinMalformed, match="input 0: its partial_signatures holds another value"):
        merge(merge(base, signed), with_input(signed, partial_signatures={key: other}))


def test_a_foreign_key_is_refused(base, signed):
    (signature,) = signed.inputs[0].partial_signatures.values()
    with pytest.raises(BitcoinMalformed, match="input 0: its partial_signatures holds one by a key that has no part"):
        merge(base, with_input(signed, partial_signatures={FOREIGN: signature}))


def test_foreign_leaf_signatures_and_nonces_are_refused(treasury):
    base = treasury.spending(treasury.descriptor(WALLET))
    entry = base.inputs[0]
    key, derivation = next(item for item in entry.tap_derivations.items() if item[1].leaf_hashes)
    (participants,) = entry.musig_participants.values()
    leaf = derivation.leaf_hashes[0]
    assert isinstance(derivation, TapDerivation)
    nonce = participants[0] + participants[1]
    refused = [
        ("tap_script_signatures", {LeafKey(FOREIGN[1:], leaf): bytes(64)}),
        ("tap_script_signatures", {LeafKey(key, bytes(32)): bytes(64)}),
        ("musig_nonces", {MusigKey(FOREIGN, FOREIGN): nonce}),
        ("musig_nonces", {MusigKey(participants[0], FOREIGN, bytes(32)): nonce}),
        ("musig_partial_signatures", {MusigKey(FOREIGN, FOREIGN): bytes(32)}),
    ]
    for field, value in refused:
        with pytest.raises(BitcoinMalformed, match=f"input 0: its {field} holds one by a key that has no part"):
            merge(base, with_input(base, **{field: value}))
    taken = merge(base, with_input(base, tap_script_signatures={LeafKey(key, leaf): bytes(64)}))
    assert taken.inputs[0].tap_script_signatures == {LeafKey(key, leaf): bytes(64)}


def test_another_key_path_signature_is_refused(treasury):
    base = treasury.spending(treasury.descriptor(WALLET))
    one = merge(base, with_input(base, tap_key_signature=b"\x01" * 64))
    assert merge(one, base).inputs[0].tap_key_signature == b"\x01" * 64
    with pytest.raises(BitcoinMalformed, match="input 0: its tap_key_signature is another one"):
        merge(one, with_input(base, tap_key_signature=b"\x02" * 64))
