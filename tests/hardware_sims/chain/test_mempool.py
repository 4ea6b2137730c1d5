"""What enters the mempool, what leaves it, and the words of each refusal."""

from dataclasses import replace

import pytest

from hardware_sims.chain.purse import PurseCoin
from hardware_sims.chain.refusal import InputsMissing, TransactionRefused
from hardware_sims.chain.scripts import ScriptJudge
from shared.bitcoin.script import Op, number, p2wsh, push
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import COIN_SAT, OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinMalformed

SECRET = bytes(31) + b"\x02"
KEY = public_key_of(SECRET)
UNIT_S = 512
ANYONE = p2wsh(b"\x51")


def locked(lock: bytes) -> bytes:
    """A witness script: a lock, then one signature."""
    return lock + bytes((Op.DROP,)) + push(KEY) + bytes((Op.CHECKSIG,))


def spending(script: bytes, coin: PurseCoin, *, sequence: int, lock_time: int = 0) -> Transaction:
    output = TxOut(coin.amount_sat - 1_000, ANYONE)
    bare = Transaction(2, (TxIn(coin.outpoint, sequence=sequence),), (output,), lock_time)
    digest = Sighasher(bare, [TxOut(coin.amount_sat, p2wsh(script))]).segwit_v0(0, script)
    signature = sign_ecdsa(SECRET, digest) + b"\x01"
    return Transaction(2, (replace(bare.inputs[0], witness=(signature, script)),), bare.outputs, lock_time)


@pytest.fixture
def funded(node, rewards, purse, mine):
    """A coin of a witness script, confirmed in the tip."""

    def fund(script: bytes) -> PurseCoin:
        tx = purse.paid([rewards.pop()], [TxOut(49 * COIN_SAT, p2wsh(script))])
        node.accept(tx)
        mine()
        return PurseCoin(OutPoint(tx.txid, 0), 49 * COIN_SAT)

    return fund


def test_older_is_refused_at_143_blocks_and_accepted_at_144(node, funded, mine, refusal):
    script = locked(number(144) + bytes((Op.CHECKSEQUENCEVERIFY,)))
    tx = spending(script, funded(script), sequence=144)
    mine(142)
    assert refusal(tx) == "non-BIP68-final"
    mine()
    assert refusal(tx) == ""
    node.accept(tx)
    mine()
    assert node.chain.block_of_tx(tx.txid) is not None


def test_a_smaller_sequence_than_the_script_asks_for_fails_in_the_script(funded, mine, refusal):
    script = locked(number(144) + bytes((Op.CHECKSEQUENCEVERIFY,)))
    tx = spending(script, funded(script), sequence=143)
    mine(200)
    assert refusal(tx).startswith("mempool-script-verify-flag-failed")


def test_older_in_units_of_512_s_follows_the_median_time(node, clock, funded, mine, refusal):
    script = locked(number(1 << 22 | 1) + bytes((Op.CHECKSEQUENCEVERIFY,)))
    tx = spending(script, funded(script), sequence=1 << 22 | 1)
    opens_s = node.chain.median_time_s(node.chain.height - 1) + UNIT_S
    seen = set()
    while refusal(tx):
        assert refusal(tx) == "non-BIP68-final"
        seen.add(node.chain.median_time_s(node.chain.height))
        clock.now_s += 60
        mine()
    assert max(seen) < opens_s <= node.chain.median_time_s(node.chain.height)


def test_after_a_height_is_refused_until_that_height_is_the_tip(node, funded, mine, refusal):
    height = node.chain.height + 130
    script = locked(number(height) + bytes((Op.CHECKLOCKTIMEVERIFY,)))
    tx = spending(script, funded(script), sequence=0xFFFFFFFE, lock_time=height)
    mine(height - 1 - node.chain.height)
    assert refusal(tx) == "non-final"
    mine()
    assert refusal(tx) == ""


def test_a_replacement_pays_more_in_all_and_for_its_own_way(node, rewards, purse, refusal):
    first = purse.moved(rewards[0], 2_000)
    node.accept(first)
    child = purse.moved(purse.coins_in(first)[0], 3_000)
    node.accept(child)
    assert refusal(purse.moved(rewards[0], 2_000 - 1)) == "insufficient fee"
    assert refusal(purse.moved(rewards[0], 4_999)) == "insufficient fee"
    assert refusal(purse.moved(rewards[0], 5_000 + 109)) == "insufficient fee"
    better = purse.moved(rewards[0], 5_000 + 110)
    node.accept(better)
    assert [entry.txid for entry in node.mempool] == [better.txid]


def test_a_replacement_may_ignore_that_the_first_did_not_signal(node, rewards, purse):
    node.accept(purse.moved(rewards[0], 2_000, sequence=0xFFFFFFFF))
    better = node.accept(purse.moved(rewards[0], 9_000))
    assert [entry.txid for entry in node.mempool] == [better.txid]


def test_a_replacement_adds_no_new_unconfirmed_input(node, rewards, purse, refusal):
    node.accept(purse.moved(rewards[0], 2_000))
    other = purse.moved(rewards[1], 2_000)
    node.accept(other)
    coins = [rewards[0], *purse.coins_in(other)]
    tx = purse.paid(coins, [TxOut(99 * COIN_SAT - 50_000, purse.script)])
    assert refusal(tx) == "replacement-adds-unconfirmed"


def test_a_replacement_cannot_spend_what_it_replaces(node, rewards, purse, refusal):
    first = purse.moved(rewards[0], 2_000)
    node.accept(first)
    tx = purse.paid([rewards[0], *purse.coins_in(first)], [TxOut(COIN_SAT, purse.script)])
    assert refusal(tx) == "bad-txns-spends-conflicting-tx"


def test_a_row_of_unconfirmed_transactions_ends_at_25(node, rewards, purse, refusal):
    coin = rewards[0]
    for _ in range(25):
        tx = purse.moved(coin, 1_000)
        node.accept(tx)
        (coin,) = purse.coins_in(tx)
    assert refusal(purse.moved(coin, 1_000)) == "too-long-mempool-chain"


def test_a_child_brings_its_parent_into_the_block(node, rewards, purse, mine):
    """For itself the parent pays one satoshi a byte."""
    parent = purse.moved(rewards[0], 110)
    child = purse.moved(purse.coins_in(parent)[0], 50_000)
    node.accept(parent)
    node.accept(child)
    mine()
    assert [tx.txid for tx in node.chain.tip.block.transactions[1:]] == [parent.txid, child.txid]
    assert node.chain.tip.block.transactions[0].outputs[0].amount_sat == 50 * COIN_SAT + 50_110
    assert len(node.mempool) == 0


def test_a_block_with_a_rival_clears_the_mempool_of_it_and_its_children(node, rewards, purse):
    first = purse.moved(rewards[0], 2_000)
    node.accept(first)
    node.accept(purse.moved(purse.coins_in(first)[0], 2_000))
    node.generate_of(ANYONE, [purse.moved(rewards[0], 7_000)])
    assert len(node.mempool) == 0


def test_what_a_reorganisation_makes_impossible_leaves_the_mempool(node, rewards, purse):
    """With one block less a reward is not mature any more, and a lock time lies in the future again."""
    young = purse.moved(rewards[19], 2_000)
    late = purse.moved(rewards[1], 2_000, lock_time=node.chain.height, sequence=0xFFFFFFFE)
    stays = purse.moved(rewards[0], 2_000)
    for tx in (young, late, stays):
        node.accept(tx)
    node.invalidate(node.chain.tip.block.hash)
    assert [entry.txid for entry in node.mempool] == [stays.txid]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tx: replace(tx, version=4), "version"),
        (lambda tx: replace(tx, outputs=()), "bad-txns-vout-empty"),
        (lambda tx: replace(tx, inputs=tx.inputs * 2), "bad-txns-inputs-duplicate"),
        (lambda tx: replace(tx, inputs=(TxIn(OutPoint("00" * 32, 0xFFFFFFFF), b"\x51\x51"),)), "coinbase"),
        (lambda tx: replace(tx, inputs=(replace(tx.inputs[0], script_sig=b"\x76"),)), "scriptsig-not-pushonly"),
        (lambda tx: replace(tx, inputs=(replace(tx.inputs[0], script_sig=b"\x00" * 1651),)), "scriptsig-size"),
        (lambda tx: replace(tx, outputs=(TxOut(COIN_SAT, b"\x76"),)), "scriptpubkey"),
        (lambda tx: replace(tx, outputs=(TxOut(0, b"\x6a\x4c\x52" + bytes(82)),)), "scriptpubkey"),
        (lambda tx: replace(tx, outputs=(*tx.outputs, TxOut(0, b"\x6a"), TxOut(0, b"\x6a"))), "multi-op-return"),
        (lambda tx: replace(tx, outputs=(TxOut(293, tx.outputs[0].script),)), "dust"),
        (lambda tx: replace(tx, outputs=(TxOut(329, ANYONE),)), "dust"),
        (lambda tx: replace(tx, outputs=(TxOut(51 * COIN_SAT, ANYONE),)), "bad-txns-in-belowout"),
        (lambda tx: replace(tx, outputs=(TxOut(21_000_000 * COIN_SAT, ANYONE),) * 2), "bad-txns-txouttotal-toolarge"),
        (lambda tx: replace(tx, lock_time=500, inputs=(replace(tx.inputs[0], sequence=0),)), "non-final"),
        (lambda tx: replace(tx, inputs=(replace(tx.inputs[0], witness=()),)), "mempool-script-verify-flag-failed"),
        (lambda tx: replace(tx, outputs=(TxOut(50 * COIN_SAT - 1, ANYONE),)), "min relay fee not met"),
        (lambda tx: replace(tx, outputs=(TxOut(1_000, ANYONE),) * 10_000), "tx-size"),
        (lambda tx: replace(tx, outputs=(TxOut(0, b"\x6a"),)), "tx-size-small"),
    ],
)
def test_a_refusal_has_bitcoin_cores_word(change, reason, rewards, purse, refusal):
    tx = purse.moved(rewards[0], 1_000)
    assert refusal(tx) == ""
    assert refusal(change(tx)).split(" (")[0] == reason


def test_missing_and_spent_inputs_are_told_apart_from_known_transactions(node, rewards, purse, mine, refusal):
    with pytest.raises(InputsMissing, match="bad-txns-inputs-missingorspent"):
        node.accept(purse.moved(PurseCoin(OutPoint("ab" * 32, 0), COIN_SAT), 1_000))
    tx = purse.moved(rewards[0], 1_000)
    node.accept(tx)
    assert refusal(tx) == "txn-already-in-mempool"
    mine()
    assert refusal(tx) == "txn-already-known"
    with pytest.raises(InputsMissing):
        node.accept(purse.moved(rewards[0], 9_000))


def test_a_large_s_is_consensus_but_not_relayed(node, rewards, purse):
    tx = purse.moved(rewards[0], 1_000)
    der, key = tx.inputs[0].witness
    r_end = 4 + der[3]
    s = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - int.from_bytes(der[r_end + 2 : -1], "big")
    raw = s.to_bytes(33, "big").lstrip(b"\0")
    raw = b"\0" + raw if raw[0] & 0x80 else raw
    body = der[2:r_end] + b"\x02" + bytes((len(raw),)) + raw
    high = b"\x30" + bytes((len(body),)) + body + b"\x01"
    malleated = replace(tx, inputs=(replace(tx.inputs[0], witness=(high, key)),))
    with pytest.raises(TransactionRefused, match="S value is unnecessarily high"):
        node.accept(malleated)
    node.generate_of(ANYONE, [malleated])
    assert node.chain.block_of_tx(tx.txid) is not None


def test_large_witness_items_are_not_standard(node, funded, refusal):
    script = bytes((Op.DROP, Op.ONE))
    coin = funded(script)
    bare = Transaction(2, (TxIn(coin.outpoint, witness=(bytes(81), script)),), (TxOut(COIN_SAT, ANYONE),), 0)
    assert refusal(bare) == "bad-witness-nonstandard"
    fits = replace(bare, inputs=(replace(bare.inputs[0], witness=(bytes(80), script)),))
    assert refusal(fits) == ""


def test_a_package_is_tested_in_its_order_and_leaves_nothing(node, rewards, purse):
    parent = purse.moved(rewards[0], 1_000)
    child = purse.moved(purse.coins_in(parent)[0], 1_000)
    assert [one.txid for one in node.test([parent, child]).values()] == [parent.txid, child.txid]
    assert len(node.mempool) == 0
    (refused,) = node.test([child, parent]).values()
    assert isinstance(refused, InputsMissing)


def test_the_engine_is_never_asked_in_a_way_that_would_end_the_process(rewards, purse):
    """Every count that it asserts is checked before; the process that runs this test is the proof."""
    judge = ScriptJudge()
    tx = purse.moved(rewards[0], 1_000)
    coin = TxOut(rewards[0].amount_sat, purse.script)
    for spent in ([], [coin, coin], [TxOut(-1, purse.script)], [TxOut(22_000_000 * COIN_SAT, purse.script)]):
        with pytest.raises(BitcoinMalformed):
            judge.check(tx, spent)
    judge.check(tx, [coin])
    with pytest.raises(TransactionRefused):
        ScriptJudge().check(tx, [TxOut(rewards[0].amount_sat - 1, purse.script)])
