from dataclasses import replace

import pytest

from shared.bitcoin.psbt.build import Coin, create
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.signable import assert_signable
from shared.errors import BitcoinMalformed

VAULT = "wsh(or_d(multi(2,<A>,<B>,<C>),and_v(v:pkh(<R>),older(144))))"
TREE = "tr(<A>,{multi_a(2,<A2>,<B>,<C>),and_v(v:pk(<R>),older(144))})"


def test_a_recovery_before_its_time_is_not_finalised(treasury):
    psbt = treasury.signers["R"].sign(treasury.spending(treasury.descriptor(VAULT), sequence=143))
    with pytest.raises(BitcoinMalformed, match="input 0: what is there does not satisfy its script"):
        finalise(psbt)
    tree = treasury.signers["R"].sign(treasury.spending(treasury.descriptor(TREE), sequence=143))
    with pytest.raises(BitcoinMalformed, match="satisfy none of its leaves"):
        finalise(tree)


def test_the_smallest_leaf_is_taken(treasury):
    psbt = treasury.spending(treasury.descriptor(TREE), sequence=144)
    for name in "ABCR":
        psbt = treasury.signers[name].sign(psbt)
    shortest = min((leaf.script for leaf in psbt.inputs[0].tap_leaf_scripts.values()), key=len)
    assert finalise(psbt).inputs[0].witness[-2] == shortest


def test_an_input_that_came_finalised_is_taken_as_it_is(treasury):
    psbt = treasury.spending(treasury.descriptor(VAULT))
    for name in "AB":
        psbt = treasury.signers[name].sign(psbt)
    whole = finalise(psbt)
    first = replace(psbt.inputs[0], partial_signatures={}, final_witness=whole.inputs[0].witness)
    assert finalise(replace(psbt, inputs=(first, psbt.inputs[1]))) == whole


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"witness_script": None}, "its witness script is missing"),
        ({"previous_tx": None, "witness_utxo": None}, "nothing tells which output it spends"),
    ],
)
def test_what_is_missing_is_named(treasury, changed, reason):
    psbt = treasury.spending(treasury.descriptor(VAULT))
    with pytest.raises(BitcoinMalformed, match=f"input 0: {reason}"):
        finalise(replace(psbt, inputs=(replace(psbt.inputs[0], **changed), psbt.inputs[1])))


def test_legacy_outputs_are_not_finalised_here(treasury):
    psbt = treasury.spending(treasury.descriptor("pkh(<A>)"))
    with pytest.raises(BitcoinMalformed, match="kind p2pkh"):
        finalise(psbt)


def test_a_segwit_input_without_its_previous_transaction_is_not_signed(treasury):
    psbt = treasury.spending(treasury.descriptor(VAULT))
    bare = replace(psbt, inputs=(replace(psbt.inputs[0], previous_tx=None), psbt.inputs[1]))
    with pytest.raises(BitcoinMalformed, match="input 0: nothing vouches for its amount"):
        assert_signable(bare)
    assert_signable(psbt)


def test_a_coin_of_another_script_is_not_built_in(treasury):
    vault, tree = treasury.descriptor(VAULT), treasury.descriptor(TREE)
    psbt = treasury.spending(vault)
    coins = [Coin(entry.previous_tx, tree.derive(0, index)) for index, entry in enumerate(psbt.inputs)]
    with pytest.raises(BitcoinMalformed, match="input 0: its coin is not locked"):
        create(psbt.tx, coins)
    with pytest.raises(BitcoinMalformed, match="one coin for each input"):
        create(psbt.tx, coins[:1])


def test_own_outputs_carry_what_makes_them_recognised(treasury):
    psbt = treasury.spending(treasury.descriptor(TREE))
    foreign, change = psbt.outputs
    assert foreign.tap_internal_key is None
    assert [leaf.depth for leaf in change.tap_tree] == [1, 1]
    derived = treasury.descriptor(TREE).derive(1, 0)
    assert change.tap_internal_key == derived.internal_key
    assert change.tap_derivations[derived.internal_key].leaf_hashes == ()
    assert set(change.tap_derivations) == {key[1:] for key in derived.keys}
