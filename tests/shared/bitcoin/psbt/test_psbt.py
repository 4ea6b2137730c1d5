from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bitcoin.hashes import hash160, sha256d
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.psbt import LeafKey, MusigKey, Psbt, PsbtInput, PsbtOutput, TapDerivation, TapLeaf, TreeLeaf
from shared.bitcoin.psbt.build import to_v2
from shared.bitcoin.psbt.field import GLOBAL_FIELDS, INPUT_FIELDS, OUTPUT_FIELDS
from shared.bitcoin.psbt.lock_time import lock_time
from shared.bitcoin.psbt.scan import MAX_PSBT_BYTES, scan
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinDisagreement, BitcoinMalformed

KEYS = [public_key_of(bytes([n]) * 32) for n in range(1, 6)]
SIGNATURES = [sign_ecdsa(bytes([n]) * 32, bytes(32)) + b"\x01" for n in range(1, 4)]
P2TR = b"\x51\x20" + KEYS[0][1:]

keys, xonly, hashes = (
    st.sampled_from(KEYS),
    st.sampled_from(KEYS).map(lambda key: key[1:]),
    st.binary(min_size=32, max_size=32),
)
uint32 = st.integers(0, 0xFFFFFFFF)
origins = st.builds(KeyOrigin, st.binary(min_size=4, max_size=4), st.lists(uint32, max_size=4).map(tuple))
scripts = st.binary(min_size=1, max_size=40)
outputs = st.builds(TxOut, st.integers(0, 10**15), scripts)
maybe = lambda strategy: st.none() | strategy  # noqa: E731
few = lambda key, value: st.dictionaries(key, value, max_size=2)  # noqa: E731
# btclib refuses two keys of one origin, wallycore empty preimages and empty unknown values; nobody needs them.
derivations = st.lists(
    st.tuples(keys, origins), max_size=2, unique_by=(lambda pair: pair[0], lambda pair: pair[1])
).map(dict)
tap_derivations = few(xonly, st.builds(TapDerivation, st.lists(hashes, max_size=2).map(tuple), origins))
participants = few(keys, st.lists(keys, min_size=1, max_size=3).map(tuple))
musig_keys = st.builds(MusigKey, keys, keys, maybe(hashes))
nonces = st.tuples(keys, keys).map(b"".join)
preimages = st.binary(min_size=1, max_size=40)


@st.composite
def psbt_inputs(draw, version):
    fields = {
        "partial_signatures": draw(few(keys, st.sampled_from(SIGNATURES))),
        "sighash_type": draw(st.sampled_from([None, 1])),
        "redeem_script": draw(maybe(scripts)),
        "witness_script": draw(maybe(scripts)),
        "derivations": draw(derivations),
        "hash160_preimages": {hash160(one): one for one in draw(st.lists(preimages, max_size=1))},
        "hash256_preimages": {sha256d(one): one for one in draw(st.lists(preimages, max_size=1))},
        "tap_key_signature": draw(maybe(st.binary(min_size=64, max_size=64))),
        "tap_script_signatures": draw(few(st.builds(LeafKey, xonly, hashes), st.binary(min_size=64, max_size=64))),
        "tap_leaf_scripts": draw(few(xonly.map(lambda key: b"\xc0" + key), st.builds(TapLeaf, scripts, st.just(0xC0)))),
        "tap_derivations": draw(tap_derivations),
        "tap_internal_key": draw(maybe(xonly)),
        "tap_merkle_root": draw(maybe(hashes)),
        "musig_participants": draw(participants),
        "musig_nonces": draw(few(musig_keys, nonces)),
        "musig_partial_signatures": draw(few(musig_keys, st.binary(min_size=31, max_size=31).map(lambda b: b"\0" + b))),
        "unknown": draw(few(st.binary(max_size=4).map(lambda tail: b"\x99" + tail), st.binary(min_size=1, max_size=5))),
    }
    if version == 2:
        fields["sequence"] = draw(maybe(uint32))
        fields["required_height"] = draw(maybe(st.integers(1, 499_999_999)))
    return PsbtInput(**fields)


@st.composite
def psbts(draw):
    version = draw(st.sampled_from([0, 2]))
    inputs = draw(st.lists(psbt_inputs(version), min_size=1, max_size=3))
    paid = draw(st.lists(outputs, min_size=1, max_size=2))
    told = [
        PsbtOutput(
            redeem_script=draw(maybe(scripts)),
            witness_script=draw(maybe(scripts)),
            derivations=draw(derivations),
            tap_internal_key=draw(maybe(xonly)),
            tap_tree=draw(maybe(st.just((TreeLeaf(1, 0xC0, b"\x51"), TreeLeaf(1, 0xC0, b"\x52"))))),
            tap_derivations=draw(tap_derivations),
            musig_participants=draw(participants),
        )
        for _ in paid
    ]
    fallback = draw(maybe(uint32)) if version == 2 else None
    locks = [(one.required_time, one.required_height) for one in inputs]
    spenders = []
    for index, one in enumerate(inputs):
        chosen = (0xFFFFFFFF if one.sequence is None else one.sequence) if version == 2 else draw(uint32)
        spenders.append(TxIn(OutPoint(f"{index + 1:064x}", index), sequence=chosen))
    locked = lock_time(locks, fallback) if version == 2 else draw(uint32)
    tx = Transaction(2, tuple(spenders), tuple(paid), locked)
    return Psbt(version=version, tx=tx, inputs=tuple(inputs), outputs=tuple(told), fallback_lock_time=fallback)


@settings(deadline=None)
@given(psbts())
def test_every_psbt_survives_its_bytes(psbt):
    again = Psbt.parse(psbt.raw)
    assert again == psbt
    assert again.raw == psbt.raw


@settings(deadline=None)
@given(psbts(), st.data())
def test_a_cut_doubled_or_prolonged_psbt_is_refused(psbt, data):
    raw = psbt.raw
    with pytest.raises(BitcoinMalformed):
        Psbt.parse(raw[: data.draw(st.integers(0, len(raw) - 1))], quick=True)
    with pytest.raises(BitcoinMalformed):
        Psbt.parse(raw + data.draw(st.binary(min_size=1, max_size=5)), quick=True)
    key, value = next(iter(scan(raw).globals.items()))
    doubled = bytes((len(key),)) + key + _sized(value)
    with pytest.raises(BitcoinMalformed, match="twice"):
        Psbt.parse(raw[:5] + doubled + raw[5:], quick=True)


def _sized(value):
    size = bytes((len(value),)) if len(value) < 0xFD else b"\xfd" + len(value).to_bytes(2, "little")
    return size + value


@settings(deadline=None)
@given(psbts(), st.data())
def test_a_changed_byte_is_read_as_the_readers_agree_or_refused(psbt, data):
    raw = bytearray(psbt.raw)
    place = data.draw(st.integers(5, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        found = Psbt.parse(bytes(raw))
    except (BitcoinMalformed, BitcoinDisagreement):
        return
    assert Psbt.parse(found.raw) == found


def spending(treasury):
    return treasury.spending(treasury.descriptor("wsh(multi(2,<A>,<B>,<C>))"))


def test_a_previous_transaction_of_another_id_is_refused(treasury):
    psbt = spending(treasury)
    first, second = psbt.inputs
    with pytest.raises(BitcoinMalformed, match="input 0: the previous transaction has the id"):
        replace(psbt, inputs=(replace(first, previous_tx=second.previous_tx, witness_utxo=None), second))


def test_a_lying_witness_utxo_is_refused(treasury):
    psbt = spending(treasury)
    first, second = psbt.inputs
    lie = replace(first.witness_utxo, amount_sat=first.witness_utxo.amount_sat + 1)
    raw = psbt.raw.replace(first.witness_utxo.raw, lie.raw)
    assert raw.count(lie.raw) == 2  # in the previous transaction, too: now its id is another
    with pytest.raises(BitcoinMalformed, match="has the id"):
        Psbt.parse(raw)
    with pytest.raises(BitcoinMalformed, match="input 0: the witness UTXO is not"):
        replace(psbt, inputs=(replace(first, witness_utxo=lie), second))


def test_a_previous_transaction_without_that_output_is_refused(treasury):
    psbt = spending(treasury)
    first, _ = psbt.inputs
    tx = Transaction(2, (TxIn(OutPoint(first.previous_tx.txid, 9)),), psbt.tx.outputs, 0)
    with pytest.raises(BitcoinMalformed, match="has no output 9"):
        replace(psbt, tx=tx, inputs=(first,))


def test_a_coin_that_is_spent_twice_is_refused(treasury):
    psbt = spending(treasury)
    tx = replace(psbt.tx, inputs=(psbt.tx.inputs[0], psbt.tx.inputs[0]))
    doubled = replace(psbt, tx=tx, inputs=(psbt.inputs[0], replace(psbt.inputs[0])))
    for raw in (doubled.raw, to_v2(doubled).raw):
        with pytest.raises(BitcoinMalformed, match="spend the same coin"):
            Psbt.parse(raw, quick=True)


def test_amounts_come_from_previous_transactions_or_from_taproot_alone(treasury):
    psbt = spending(treasury)
    assert psbt.inputs[0].spent == psbt.inputs[0].previous_tx.outputs[1]
    bare = replace(psbt, inputs=tuple(replace(entry, previous_tx=None) for entry in psbt.inputs))
    assert [entry.spent for entry in bare.inputs] == [None, None]
    tap = PsbtInput(witness_utxo=TxOut(5, P2TR))
    whole = replace(psbt, inputs=(tap, tap))
    assert [entry.spent for entry in whole.inputs] == [TxOut(5, P2TR)] * 2
    mixed = replace(psbt, inputs=(tap, psbt.inputs[1]))
    assert mixed.inputs[0].spent is None
    replace(psbt, inputs=(mixed.inputs[0], mixed.inputs[0]))
    assert mixed.inputs[0].spent is None
    assert mixed.inputs[1].spent is not None


def test_a_signature_of_another_hash_type_than_the_field_is_refused(treasury):
    psbt = spending(treasury)
    first, second = psbt.inputs
    with pytest.raises(BitcoinMalformed, match="input 0: a signature of the hash type 0x01, the field says 0x81"):
        replace(psbt, inputs=(replace(first, partial_signatures={KEYS[0]: SIGNATURES[0]}, sighash_type=0x81), second))


def test_text_that_is_no_base64_and_text_that_is_too_long(treasury):
    psbt = spending(treasury)
    assert Psbt.parse_base64(f" {psbt.base64}\n") == psbt
    for text in ("cHNidP8=*", "ü", "cHNidP8"):
        with pytest.raises(BitcoinMalformed, match="base64"):
            Psbt.parse_base64(text)
    with pytest.raises(BitcoinMalformed, match="too many"):
        Psbt.parse_base64("A" * (2 * MAX_PSBT_BYTES + 1))


def test_every_field_of_the_bips_has_its_number_once():
    for table, prefix in ((GLOBAL_FIELDS, "PSBT_GLOBAL_"), (INPUT_FIELDS, "PSBT_IN_"), (OUTPUT_FIELDS, "PSBT_OUT_")):
        names = [field.name for field in table.values()]
        assert len(set(names)) == len(names)
        assert all(name.startswith(prefix) for name in names)
