import json
from dataclasses import replace
from pathlib import Path

import pytest
import wallycore
from btclib.script.sig_hash import taproot
from btclib.tx import Tx
from btclib.tx import TxOut as BtclibTxOut
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.consensus import verify_input
from shared.bitcoin.musig import KeyAggregate, taproot_tweak
from shared.bitcoin.script import Op, number, p2tr, p2wsh, push
from shared.bitcoin.sighash import SIGHASH_ALL, SIGHASH_DEFAULT, Sighasher, leaf_hash
from shared.bitcoin.signature import public_key_of, sign_ecdsa, sign_schnorr, verify_ecdsa, verify_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinDisagreement, BitcoinMalformed

VECTORS = Path(__file__).parent / "vectors"
BIP143 = json.loads((VECTORS / "bip143.json").read_text())
[BIP341] = json.loads((VECTORS / "bip341.json").read_text())["keyPathSpending"]
TREES = json.loads((VECTORS / "bip341.json").read_text())["scriptPubKey"]

SPENT = [TxOut(5_000, p2tr(b"\x02" * 32)), TxOut(7_000, p2tr(bytes(range(32))))]
TRANSACTION = Transaction(
    2,
    (TxIn(OutPoint("11" * 32, 1), sequence=144), TxIn(OutPoint("22" * 32, 0))),
    (TxOut(9_000, b"\x51"),),
    800_000,
)
HASHES = Sighasher(TRANSACTION, SPENT)


@pytest.mark.parametrize("case", BIP143, ids=lambda case: case["name"])
def test_bip_143(case):
    spent = [TxOut(amount_sat, bytes.fromhex(script)) for amount_sat, script in case["spent"]]
    hashes = Sighasher(Transaction.parse(bytes.fromhex(case["tx"])), spent)
    digest = hashes.segwit_v0(case["index"], bytes.fromhex(case["script_code"]), case["flag"])
    assert digest.hex() == case["sighash"]
    assert verify_ecdsa(bytes.fromhex(case["public_key"]), digest, bytes.fromhex(case["signature"]))


@pytest.mark.parametrize("case", BIP341["inputSpending"], ids=lambda case: f"flag {case['given']['hashType']:#x}")
def test_bip_341(case):
    given_ = BIP341["given"]
    spent = [TxOut(coin["amountSats"], bytes.fromhex(coin["scriptPubKey"])) for coin in given_["utxosSpent"]]
    hashes = Sighasher(Transaction.parse(bytes.fromhex(given_["rawUnsignedTx"])), spent)
    index, flag = case["given"]["txinIndex"], case["given"]["hashType"]
    digest = hashes.taproot(index, flag)
    assert digest.hex() == case["intermediary"]["sigHash"]
    witness = bytes.fromhex(case["expected"]["witness"][0])
    assert witness[64:] == (bytes((flag,)) if flag else b"")
    assert verify_schnorr(spent[index].script[2:], digest, witness[:64])


@pytest.mark.parametrize("case", [case for case in TREES if case["given"]["scriptTree"]])
def test_leaves_of_bip_341(case):
    def leaves(tree):
        return [tree] if isinstance(tree, dict) else [leaf for branch in tree for leaf in leaves(branch)]

    found = [
        leaf_hash(bytes.fromhex(leaf["script"]), leaf["leafVersion"]) for leaf in leaves(case["given"]["scriptTree"])
    ]
    assert [leaf.hex() for leaf in found] == case["intermediary"]["leafHashes"]


@given(st.sampled_from([0, 1, 2, 3, 0x81, 0x82, 0x83]), st.none() | st.binary(min_size=1, max_size=300))
def test_taproot_is_as_btclib_finds_it(flag, leaf):
    ours = HASHES.taproot(0, flag, leaf)
    spent = [BtclibTxOut(output.amount_sat, output.script) for output in SPENT]
    ext = leaf_hash(leaf) + b"\x00" + b"\xff" * 4 if leaf is not None else b""
    assert ours == taproot(Tx.parse(TRANSACTION.raw), 0, spent, flag, int(leaf is not None), b"", ext)


FLAGS = st.sampled_from([0, 1, 2, 3, 0x81, 0x82, 0x83])
SECRET = b"\x07" * 32
KEY = public_key_of(SECRET)
LEAF = push(KEY[1:]) + bytes((Op.CHECKSIG,))
LEAF_V0 = push(KEY) + bytes((Op.CHECKSIG,))
INTERNAL = public_key_of(b"\x08" * 32)


def spend(flag, amount_sat, way):
    """A transaction of one input of the given way, signed by our hash, and what it spends."""
    if way == "leaf":
        tree = KeyAggregate([INTERNAL])
        output = tree.tweaked(taproot_tweak(tree.xonly_key, leaf_hash(LEAF)))
        control = bytes((0xC0 | (output.public_key[0] & 1),)) + tree.xonly_key
        script = p2tr(output.xonly_key)
    else:
        script = {"v0": p2wsh(LEAF_V0), "key": p2tr(KEY[1:])}[way]
    spent = [TxOut(amount_sat, script)]
    unsigned = replace(TRANSACTION, inputs=TRANSACTION.inputs[:1])
    hashes = Sighasher(unsigned, spent)
    if way == "v0":
        witness = (sign_ecdsa(SECRET, hashes.segwit_v0(0, LEAF_V0, flag)) + bytes((flag,)), LEAF_V0)
    else:
        digest = hashes.taproot(0, flag, LEAF if way == "leaf" else None)
        signature = sign_schnorr(SECRET, digest, bytes(32)) + (bytes((flag,)) if flag else b"")
        witness = (signature, LEAF, control) if way == "leaf" else (signature,)
    return replace(unsigned, inputs=(replace(unsigned.inputs[0], witness=witness),)), spent


@given(FLAGS, st.integers(1, 10**12), st.sampled_from(["v0", "key", "leaf"]))
def test_bitcoin_core_takes_what_is_signed_and_nothing_else(flag, amount_sat, way):
    flag = flag or int(way == "v0")
    transaction, spent = spend(flag, amount_sat, way)
    assert verify_input(transaction, spent, 0)
    assert not verify_input(replace(transaction, lock_time=1), spent, 0)
    assert not verify_input(transaction, [replace(spent[0], amount_sat=amount_sat + 1)], 0)
    pays_else = replace(transaction, outputs=(TxOut(1, b"\x52"),))
    assert verify_input(pays_else, spent, 0) is (flag & 3 == 2), "NONE commits to no output"


def test_a_hash_commits_to_everything():
    spent = (replace(SPENT[0], amount_sat=5_001), SPENT[1])
    changed = [
        replace(TRANSACTION, version=1),
        replace(TRANSACTION, lock_time=800_001),
        replace(TRANSACTION, outputs=(TxOut(8_999, b"\x51"),)),
        replace(TRANSACTION, outputs=(TxOut(9_000, b"\x52"),)),
        replace(TRANSACTION, inputs=(replace(TRANSACTION.inputs[0], sequence=145), TRANSACTION.inputs[1])),
        replace(TRANSACTION, inputs=(TRANSACTION.inputs[0], TxIn(OutPoint("22" * 32, 1)))),
    ]
    for hashes in [Sighasher(other, SPENT) for other in changed] + [Sighasher(TRANSACTION, spent)]:
        assert hashes.segwit_v0(0, b"\x51") != HASHES.segwit_v0(0, b"\x51")
        assert hashes.taproot(0) != HASHES.taproot(0)
        assert hashes.taproot(0, leaf_script=b"\x51") != HASHES.taproot(0, leaf_script=b"\x51")
    assert Sighasher(TRANSACTION, spent).taproot(1) != HASHES.taproot(1), "Taproot commits to all amounts"
    assert (
        len({HASHES.taproot(0), HASHES.taproot(1), HASHES.taproot(0, SIGHASH_ALL), HASHES.taproot(0, 0, b"\x51")}) == 4
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Sighasher(TRANSACTION, SPENT[:1]), "2 inputs but 1"),
        (lambda: HASHES.segwit_v0(2, b"\x51"), "no input 2"),
        (lambda: HASHES.taproot(-1), "no input -1"),
        (lambda: HASHES.segwit_v0(0, b"\x51", SIGHASH_DEFAULT), "0x00 does not exist"),
        (lambda: HASHES.segwit_v0(0, b"\x51", 4), "0x04 does not exist"),
        (lambda: Sighasher(TRANSACTION, [TxOut(1, p2wsh(b""))] * 2).taproot(0), "not spend a Taproot"),
        (lambda: HASHES.taproot(0, leaf_script=b""), "empty script"),
        (lambda: HASHES.segwit_v0(0, b""), "empty script"),
        (lambda: HASHES.taproot(0, 0x80), "0x80 does not exist"),
        (lambda: HASHES.taproot(1, 3), "needs an output 1"),
        (lambda: HASHES.segwit_v0(1, b"\x51", 3), "needs an output 1"),
    ],
)
def test_a_hash_that_is_not_defined_is_refused(wrong, words):
    with pytest.raises(BitcoinMalformed, match=words):
        wrong()


def test_another_hash_by_wallycore_is_a_disagreement(monkeypatch):
    for name in ("tx_get_btc_signature_hash", "tx_get_btc_taproot_signature_hash"):
        monkeypatch.setattr(wallycore, name, lambda *_: bytes(32))
    for ask in (lambda: HASHES.segwit_v0(0, number(144)), lambda: HASHES.taproot(1)):
        with pytest.raises(BitcoinDisagreement):
            ask()
