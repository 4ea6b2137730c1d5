"""From a descriptor to a transaction that Bitcoin Core's consensus code accepts, one signer after the other."""

from dataclasses import replace

import pytest
from btclib_wallet.descriptors import miniscript_solver
from btclib_wallet.psbt import Psbt as BtclibPsbt
from btclib_wallet.psbt import extract_tx
from btclib_wallet.psbt import finalize as btclib_finalise

from shared.bitcoin.consensus import failed_input
from shared.bitcoin.descriptor.aggregate import output_key, script_key
from shared.bitcoin.psbt import Psbt, assert_signable
from shared.bitcoin.psbt.build import to_v0, to_v2
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.merge import merge
from shared.errors import BitcoinMalformed
from tests.shared.bitcoin.psbt.conftest import signatures_only

VAULT = "wsh(or_d(multi(2,<A>,<B>,<C>),and_v(v:pkh(<R>),older(144))))"
TREE = "{multi_a(2,<A>,<B>,<C>),and_v(v:pk(<R>),older(144))}"
NUMS = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"

SPENDINGS = {
    "vault": (VAULT, "AB", {}),
    "vault, one signature too many": (VAULT, "CBA", {}),
    "vault, recovery": (VAULT, "R", {"sequence": 144}),
    "plain quorum": ("wsh(multi(2,<A>,<B>,<C>))", "AC", {}),
    "sorted quorum": ("wsh(sortedmulti(2,<A>,<B>,<C>))", "BC", {}),
    "nested quorum": ("sh(wsh(multi(2,<A>,<B>,<C>)))", "BC", {}),
    "decaying quorum": ("wsh(thresh(3,pk(<A>),s:pk(<B>),s:pk(<C>),sln:older(9)))", "AC", {"sequence": 9}),
    "two stages, deputies": (
        "wsh(or_i(and_v(v:pkh(<R>),older(400)),or_d(multi(2,<A>,<B>,<C>),and_v(v:multi(2,<A2>,<R2>),older(144)))))",
        "AR",
        {"sequence": 144},
    ),
    "dated reserve": ("wsh(and_v(v:multi(2,<A>,<B>,<C>),after(500)))", "AB", {"lock_time": 500}),
    "single key": ("wpkh(<A>)", "A", {}),
    "nested single key": ("sh(wpkh(<A>))", "A", {}),
    "tree, quorum": (f"tr({NUMS},{TREE})", "BC", {}),
    "tree, recovery": (f"tr({NUMS},{TREE})", "R", {"sequence": 144}),
    "tree, hashed key": (f"tr({NUMS},and_v(v:pkh(<R>),older(144)))", "R", {"sequence": 144}),
    "wallet, leaf": (f"tr(musig(<A>,<B>,<C>),{TREE})", "AC", {}),
}


def is_accepted(psbt, tx):
    return failed_input(tx, [entry.spent for entry in psbt.inputs]) is None


def answered(treasury, signer, base):
    return Psbt.parse(signatures_only(treasury.signers[signer].sign(Psbt.parse(base.raw))).raw, quick=True)


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("name", SPENDINGS)
def test_a_spending_is_built_signed_merged_finalised_and_accepted(treasury, name, version):
    template, signers, locks = SPENDINGS[name]
    needed = len(signers) - name.endswith("too many")
    base = treasury.spending(treasury.descriptor(template), version=version, **locks)
    assert_signable(base)
    assert Psbt.parse(base.raw) == base
    whole = base
    for signer in signers[:needed]:
        with pytest.raises(BitcoinMalformed, match="psbt input 0"):
            finalise(whole)
        whole = merge(whole, answered(treasury, signer, base))
    for signer in signers[needed:]:
        whole = merge(whole, answered(treasury, signer, base))
    tx = finalise(Psbt.parse(whole.raw))
    assert tx.txid == base.txid or template.startswith("sh(")
    assert is_accepted(base, tx)


@pytest.mark.parametrize("name", [name for name in SPENDINGS if SPENDINGS[name][0].startswith(("wsh", "wpkh"))])
def test_btclib_builds_the_same_transaction(treasury, name):
    template, signers, locks = SPENDINGS[name]
    psbt = treasury.spending(treasury.descriptor(template), **locks)
    for signer in signers[:2]:
        psbt = treasury.signers[signer].sign(psbt)
    theirs = extract_tx(btclib_finalise(BtclibPsbt.parse(psbt.raw), solver=miniscript_solver))
    assert finalise(psbt).raw == theirs.serialize(include_witness=True)


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize(
    ("template", "in_leaf"),
    [
        (f"tr(musig(<A>,<B>,<C>),{TREE})", False),
        (f"tr(musig(<A0>,<B0>,<C0>)/<0;1>/*,{TREE})", False),
        ("tr(musig(<A>,<B>,<C>))", False),
        (f"tr({NUMS},{{pk(musig(<A>,<B>,<C>)),pk(<R>)}})", True),
    ],
)
def test_two_rounds_of_musig_make_one_signature(treasury, template, in_leaf, version):
    descriptor = treasury.descriptor(template)
    base = whole = treasury.spending(descriptor, version=version)
    kept = []
    for index in (0, 1):
        derived = descriptor.derive(0, index)
        (aggregate,) = derived.aggregates
        path, root = aggregate.origin.path, derived.merkle_root or b""
        make = script_key(aggregate.participants, path), output_key(aggregate.participants, path, root)
        key, leaf = (make[0], derived.leaves[0].script) if in_leaf else (make[1], None)
        for name in "ABC":
            sent, nonce = treasury.signers[name].nonce(base, index, key, leaf)
            kept.append((name, index, key, leaf, nonce))
            whole = merge(whole, Psbt.parse(sent.raw, quick=True))
    asked = whole
    for name, *session in kept:
        with pytest.raises(BitcoinMalformed, match="psbt input"):
            finalise(whole)
        whole = merge(whole, Psbt.parse(treasury.signers[name].partial(asked, *session).raw, quick=True))
    tx = finalise(Psbt.parse(whole.raw))
    assert is_accepted(base, tx)
    assert all(len(entry.witness) == (3 if in_leaf else 1) for entry in tx.inputs)


def test_versions_turn_into_each_other(treasury):
    base = treasury.spending(treasury.descriptor(VAULT), lock_time=700)
    second = to_v2(base)
    assert second.fallback_lock_time == 700
    assert Psbt.parse(second.raw).tx == base.tx
    assert to_v0(second) == base
    assert to_v2(second) is second
    with pytest.raises(BitcoinMalformed, match="may still change"):
        to_v0(replace(second, modifiable=1))
