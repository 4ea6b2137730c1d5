import base64
import json
from pathlib import Path

import pytest
import wallycore
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin import message as bip322
from shared.bitcoin.address import address_of, script_of
from shared.bitcoin.message import Outcome, full, proof_of_funds, signs_message, simple, to_sign, to_spend, verify
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2tr, p2wpkh, p2wpkh_script_code, p2wsh
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinDisagreement, BitcoinMalformed

VECTORS = Path(__file__).parent / "vectors"
BASIC = json.loads((VECTORS / "bip322_basic.json").read_text(encoding="utf-8"))
GENERATED = json.loads((VECTORS / "bip322_generated.json").read_text(encoding="utf-8"))
VALID = [
    (case, signature)
    for file in (BASIC, GENERATED)
    for name in ("simple", "full", "proof_of_funds")
    for case in file.get(name, [])
    for signature in case["bip322_signatures"]
]

SECRET = b"\x05" * 32
SCRIPT = p2wpkh(public_key_of(SECRET))
ADDRESS = address_of(SCRIPT, Network.REGTEST)


def judged(case, signature):
    return verify(case["message"].encode(), case["address"], Network.MAIN, signature)


def sign(message, script=SCRIPT):
    unsigned = to_sign(message, script)
    digest = Sighasher(unsigned, [TxOut(0, script)]).segwit_v0(0, p2wpkh_script_code(script))
    return sign_ecdsa(SECRET, digest) + b"\x01", public_key_of(SECRET)


@pytest.mark.parametrize("case", BASIC["tx_hashes"], ids=lambda case: case["message"])
def test_transactions_of_bip_322(case):
    message, script = case["message"].encode(), script_of(case["address"], Network.MAIN)
    assert to_spend(message, script).txid == case["to_spend_tx_hash"]
    assert to_sign(message, script).txid == case["to_sign_tx_hash"]
    assert case["message_hash"] in to_spend(message, script).raw.hex()
    assert signs_message(to_sign(message, script), message, script)


@pytest.mark.parametrize(("case", "signature"), VALID)
def test_valid_signatures_of_bip_322(case, signature):
    proof = judged(case, signature)
    assert (proof.outcome, proof.reason) == (Outcome.VALID, "")
    assert (proof.lock_time, proof.sequence) == (case.get("lock_time", 0), case.get("sequence", 0))
    assert len(proof.coins) == sum(len(group) for group in case.get("additional_inputs", []))


@pytest.mark.parametrize("case", BASIC["error"] + GENERATED["error"], ids=lambda case: case["description"])
def test_invalid_signatures_of_bip_322(case):
    proof = judged(case, case["signature"])
    assert proof.outcome is Outcome.INVALID
    assert proof.reason


def test_the_vectors_are_all_there():
    assert len(VALID) == 23
    assert len(BASIC["error"] + GENERATED["error"]) == 36


@given(st.binary(max_size=300))
def test_any_message_is_signed_and_no_other(message):
    text = simple(sign(message))
    assert verify(message, ADDRESS, Network.REGTEST, text).outcome is Outcome.VALID
    assert verify(message + b".", ADDRESS, Network.REGTEST, text).outcome is Outcome.INVALID
    other = address_of(p2wpkh(public_key_of(b"\x06" * 32)), Network.REGTEST)
    assert verify(message, other, Network.REGTEST, text).outcome is Outcome.INVALID


def test_the_full_form_is_the_whole_transaction():
    unsigned = to_sign(b"reserves", SCRIPT)
    [entry] = unsigned.inputs
    signed = Transaction(0, (TxIn(entry.outpoint, sequence=0, witness=sign(b"reserves")),), unsigned.outputs, 0)
    assert verify(b"reserves", ADDRESS, Network.REGTEST, full(signed)).outcome is Outcome.VALID


def test_a_script_that_a_later_upgrade_may_change_is_inconclusive():
    script = b"\x52\x20" + b"\x01" * 32
    address = address_of(script, Network.REGTEST)
    assert verify(b"", address, Network.REGTEST, simple((b"\x01",))).outcome is Outcome.INCONCLUSIVE


def test_forms_are_prefixed_by_their_kind():
    assert simple((b"a",)) == "smp" + base64.b64encode(b"\x01\x01a").decode()
    assert full(to_sign(b"", SCRIPT)).startswith("ful")
    assert proof_of_funds(b"psbt") == "pofcHNidA=="


def test_a_spend_is_never_taken_for_a_message():
    message = b"we hold this"
    genuine = to_sign(message, SCRIPT, version=2, lock_time=5, coins=[TxIn(OutPoint("11" * 32, 0))])
    assert signs_message(genuine, message, SCRIPT)
    pays = Transaction(2, genuine.inputs, (TxOut(1_000, p2tr(bytes(32))),), 0)
    hidden = Transaction(2, genuine.inputs, (*genuine.outputs, TxOut(1_000, p2tr(bytes(32)))), 0)
    burns = Transaction(2, genuine.inputs, (TxOut(1, b"\x6a"),), 0)
    another = Transaction(2, genuine.inputs[::-1], genuine.outputs, 0)
    new = Transaction(3, genuine.inputs, genuine.outputs, 0)
    for spend in (pays, hidden, burns, another, new):
        assert not signs_message(spend, message, SCRIPT)
    assert not signs_message(genuine, b"we hold that", SCRIPT)
    assert not signs_message(genuine, message, p2wsh(b"\x51"))


@given(st.text(max_size=60) | st.binary(max_size=90).map(lambda raw: "ful" + base64.b64encode(raw).decode()))
def test_any_other_text_is_invalid(text):
    assert verify(b"", ADDRESS, Network.REGTEST, text).outcome is Outcome.INVALID


@pytest.mark.parametrize("text", ["smp" + "A" * 4_000_000, "\ud800", "pof\0", "smp\ud800"])
def test_monstrous_text_is_invalid_at_once(text):
    assert verify(b"", ADDRESS, Network.REGTEST, text).outcome is Outcome.INVALID


def test_the_older_signatures_are_not_taken():
    key = b"\x01" * 32
    script = b"\x76\xa9\x14" + bytes(wallycore.hash160(public_key_of(key))) + b"\x88\xac"
    digest = wallycore.format_bitcoin_message(b"old", wallycore.BITCOIN_MESSAGE_FLAG_HASH)
    flags = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_RECOVERABLE
    text = base64.b64encode(wallycore.ec_sig_from_bytes(key, digest, flags)).decode()
    assert verify(b"old", address_of(script, Network.MAIN), Network.MAIN, text).outcome is Outcome.INVALID


def test_an_address_of_another_network_is_refused():
    with pytest.raises(BitcoinMalformed):
        verify(b"", ADDRESS, Network.MAIN, simple(sign(b"")))


def test_what_only_btclib_takes_is_a_disagreement(monkeypatch):
    monkeypatch.setattr(bip322, "failed_input", lambda *_: 0)
    with pytest.raises(BitcoinDisagreement):
        verify(b"", ADDRESS, Network.REGTEST, simple(sign(b"")))
