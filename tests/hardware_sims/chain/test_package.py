"""Transactions that come together, version 3, dust that lives for one child, and what only relay asks of scripts.

That a real node says the same is shown by tests/integration/chain/test_both_nodes.py.
"""

from dataclasses import replace

import pytest

from hardware_sims.chain.mempool import Entry
from hardware_sims.chain.package import form_fault, is_child_with_parents, submit
from hardware_sims.chain.purse import Purse, PurseCoin
from hardware_sims.chain.refusal import TransactionRefused
from shared.bitcoin.script import Op, p2wsh
from shared.bitcoin.transaction import COIN_SAT, OutPoint, Transaction, TxIn, TxOut

NO_LIMIT = 0


def v3(purse: Purse, coins: list[PurseCoin], *outputs: TxOut) -> Transaction:
    return purse.paid(coins, outputs, version=3)


@pytest.fixture
def free_parent(purse, rewards):
    """Of version 3 and without a fee."""
    coin = rewards.pop()
    return v3(purse, [coin], TxOut(coin.amount_sat, purse.script))


def child_of(purse: Purse, parent: Transaction, fee_sat: int) -> Transaction:
    coins = purse.coins_in(parent)
    return v3(purse, list(coins), TxOut(sum(coin.amount_sat for coin in coins) - fee_sat, purse.script))


def test_a_child_pays_for_its_parent_below_the_floor(node, purse, free_parent):
    child = child_of(purse, free_parent, 1_000)
    with pytest.raises(TransactionRefused, match="min relay fee not met"):
        node.accept(free_parent)
    found = submit(node, [free_parent, child], NO_LIMIT)
    assert [one.txid for one in found.together] == [free_parent.txid, child.txid]
    assert {one.txid for one in node.mempool} == {free_parent.txid, child.txid}
    node.generate(1, purse.script)
    assert node.chain.block_of_tx(free_parent.txid) is not None


def test_a_child_that_pays_too_little_for_both_brings_nobody(node, purse, free_parent):
    child = child_of(purse, free_parent, 150)
    found = submit(node, [free_parent, child], NO_LIMIT)
    assert all(isinstance(one, TransactionRefused) for one in found.verdicts.values())
    assert len(node.mempool) == 0


def test_below_the_floor_only_version_3_has_company(node, purse, rewards):
    coin = rewards.pop()
    parent = purse.moved(coin, 0)
    child = purse.moved(purse.coins_in(parent)[0], 5_000)
    found = submit(node, [parent, child], NO_LIMIT)
    assert found.entered == frozenset()
    assert len(node.mempool) == 0


def test_a_wrong_script_in_company_takes_all_back(node, purse, free_parent):
    child = child_of(purse, free_parent, 1_000)
    forged = replace(child, inputs=(replace(child.inputs[0], witness=(b"", child.inputs[0].witness[1])),))
    found = submit(node, [free_parent, forged], NO_LIMIT)
    assert isinstance(found.verdicts[forged.wtxid], TransactionRefused)
    assert len(node.mempool) == 0


def test_what_waits_already_is_no_error(node, purse, rewards):
    parent = purse.moved(rewards.pop(), 2_000)
    node.accept(parent)
    child = purse.moved(purse.coins_in(parent)[0], 2_000)
    found = submit(node, [parent, child], NO_LIMIT)
    assert found.entered == {child.wtxid}
    assert all(isinstance(one, Entry) for one in found.verdicts.values())


def test_the_form_of_a_package_is_told_in_bitcoin_cores_words(purse, rewards):
    parent = purse.moved(rewards[0], 2_000)
    child = purse.moved(purse.coins_in(parent)[0], 2_000)
    other = purse.moved(rewards[0], 3_000)
    assert form_fault([parent, child]) == ""
    assert form_fault([child, parent]) == "package-not-sorted"
    assert form_fault([parent, parent]) == "package-contains-duplicates"
    assert form_fault([parent, other]) == "conflict-in-package"
    large = purse.paid([rewards[1]], [TxOut(1_000, purse.script)] * 3_000)
    assert form_fault([replace(large, lock_time=at) for at in range(2)] * 2) == "package-too-large"
    assert is_child_with_parents([parent, child])
    assert not is_child_with_parents([parent, purse.moved(rewards[1], 2_000)])


def test_version_3_keeps_to_itself_and_small(node, purse, rewards, refusal):
    old = purse.moved(rewards.pop(), 2_000)
    node.accept(old)
    assert refusal(v3(purse, list(purse.coins_in(old)), TxOut(COIN_SAT, purse.script))) == "TRUC-violation"
    coin = rewards.pop()
    parent = v3(purse, [coin], *[TxOut(10 * COIN_SAT, purse.script)] * 4)
    node.accept(parent)
    coins = purse.coins_in(parent)
    assert refusal(purse.moved(coins[0], 2_000)) == "TRUC-violation"
    assert refusal(v3(purse, [coins[0]], *[TxOut(10_000, purse.script)] * 40)) == "TRUC-violation"
    first = v3(purse, [coins[0]], TxOut(10 * COIN_SAT - 2_000, purse.script))
    node.accept(first)
    grandchild = v3(purse, list(purse.coins_in(first)), TxOut(COIN_SAT, purse.script))
    assert refusal(grandchild) == "TRUC-violation"
    sibling = v3(purse, [coins[1]], TxOut(10 * COIN_SAT - 9_000, purse.script))
    node.accept(sibling)
    assert first.txid not in node.mempool, "the sibling that pays more takes the only place"


def test_dust_comes_without_a_fee_and_goes_with_the_first_child(node, purse, rewards):
    coin = rewards.pop()
    parent = v3(purse, [coin], TxOut(coin.amount_sat - 100, purse.script), TxOut(100, purse.script))
    keeps, spends = purse.coins_in(parent)
    leaves = v3(purse, [keeps], TxOut(COIN_SAT, purse.script))
    refused = submit(node, [parent, leaves], NO_LIMIT).verdicts[leaves.wtxid]
    assert isinstance(refused, TransactionRefused)
    assert refused.reason == "missing-ephemeral-spends"
    takes = v3(purse, [keeps, spends], TxOut(coin.amount_sat - 5_000, purse.script))
    assert len(submit(node, [parent, takes], NO_LIMIT).together) == 2


@pytest.mark.parametrize(
    ("item", "reason"),
    [(b"\x02", "OP_IF/NOTIF argument must be minimal"), (b"", "Script evaluated without error but finished with")],
)
def test_the_reason_of_a_script_is_told(node, purse, rewards, mine, item, reason):
    script = bytes((Op.IF, Op.ONE, Op.ELSE, Op.ZERO, Op.ENDIF))
    funding = purse.paid([rewards.pop()], [TxOut(COIN_SAT, p2wsh(script))])
    node.generate_of(purse.script, [funding])
    spend = Transaction(
        2, (TxIn(OutPoint(funding.txid, 0), witness=(item, script)),), (TxOut(COIN_SAT - 1_000, purse.script),), 0
    )
    with pytest.raises(TransactionRefused, match=reason):
        node.accept(spend)
    if item:  # only relay asks for the one form of true
        node.generate_of(purse.script, [spend])
        assert node.chain.block_of_tx(spend.txid) is not None
