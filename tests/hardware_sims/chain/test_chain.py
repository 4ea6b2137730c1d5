"""Mining, maturity, halving, branches, and what the engine refuses."""

from dataclasses import replace

import pytest

from hardware_sims.chain.mining import HALVING_BLOCKS, Template, mined, subsidy_sat
from hardware_sims.chain.refusal import BlockRefused, TransactionRefused
from shared.bitcoin.block import Block
from shared.bitcoin.transaction import COIN_SAT, Transaction, TxOut
from shared.errors import BitcoinMalformed, NotFound

OTHER = b"\x00\x14" + b"\x07" * 20


def test_the_genesis_block_is_that_of_regtest(node):
    assert node.chain.tip.block.hash == "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
    assert node.chain.height == 0
    assert len(node.chain.coins) == 0, "nobody can spend the first reward"


def test_a_reward_halves_every_150_blocks(node, mine):
    mine(HALVING_BLOCKS)
    rewards = [node.chain.at(height).block.transactions[0].outputs[0].amount_sat for height in (1, 149, 150)]
    assert rewards == [50 * COIN_SAT, 50 * COIN_SAT, 25 * COIN_SAT]
    assert subsidy_sat(64 * HALVING_BLOCKS) == 0


def test_a_reward_is_spent_after_a_hundred_blocks(node, purse, mine, refusal):
    mine(99)
    (coin,) = purse.coins_in(node.chain.at(1).block.transactions[0])
    early = purse.moved(coin, 1_000)
    assert refusal(early) == "bad-txns-premature-spend-of-coinbase"
    mine()
    assert refusal(early) == ""
    node.accept(early)
    mine()
    assert node.chain.block_of_tx(early.txid).height == 101


def test_a_block_that_pays_its_miner_too_much_is_refused_each_time(node, mine):
    mine()
    tip = node.chain.tip
    template = Template(tip.block.hash, 2, tip.block.header.time_s + 1, OTHER, b"greedy")
    greedy = mined(template, [], fees_sat=1)
    for _ in range(2):
        with pytest.raises(BlockRefused):
            node.submit(greedy)
    assert node.chain.height == 1
    mine()
    assert node.chain.height == 2


def test_orphans_and_known_blocks_are_refused(node, mine):
    mine(2)
    with pytest.raises(BlockRefused, match="duplicate"):
        node.submit(node.chain.tip.block)
    orphan = mined(Template("11" * 32, 3, node.chain.tip.block.header.time_s + 9, OTHER, b"x"), [], 0)
    with pytest.raises(BlockRefused, match="prev-blk-not-found"):
        node.submit(orphan)
    with pytest.raises(NotFound):
        node.chain.block("22" * 32)


def test_a_block_with_another_root_is_refused(node, mine):
    mine()
    good = mined(Template(node.chain.tip.block.hash, 2, node.chain.tip.block.header.time_s + 9, OTHER, b"x"), [], 0)
    coinbase = good.transactions[0]
    changed = Transaction(coinbase.version, coinbase.inputs, (TxOut(1, OTHER), *coinbase.outputs[1:]), 0)
    wrong = Block(good.header, (changed,))
    assert good.is_whole
    assert not wrong.is_whole
    with pytest.raises(BlockRefused):
        node.submit(wrong)


def test_blocks_read_back_as_they_were_written(node, rewards, purse, mine):
    node.accept(purse.moved(rewards[0], 1_000))
    mine()
    block = node.chain.tip.block
    assert Block.parse(block.raw) == block
    assert block.weight_wu == 4 * block.base_bytes + len(block.raw) - block.base_bytes
    for raw in (block.raw[:-1], block.raw + b"\0", block.raw[:80] + b"\0", block.raw[:79]):
        with pytest.raises(BitcoinMalformed):
            Block.parse(raw)


def test_a_longer_branch_wins_and_coins_follow(node, rewards, purse, mine):
    fork = node.chain.tip
    paid = purse.paid([rewards[0]], [TxOut(49 * COIN_SAT, OTHER)])
    node.accept(paid)
    mine()
    assert len(node.chain.coins.of_script(OTHER)) == 1
    previous, time_s = fork.block.hash, fork.block.header.time_s + 60
    for step in range(1, 3):
        block = mined(Template(previous, fork.height + step, time_s + step, OTHER, b"other"), [], 0)
        node.submit(block)
        previous = block.hash
    assert node.chain.tip.block.hash == previous
    assert node.chain.block_of_tx(paid.txid) is None
    assert paid.txid in node.mempool, "what a lost block held waits again"
    assert {node.chain.coins.get(one).height for one in node.chain.coins.of_script(OTHER)} == {120, 121}
    assert node.chain.coins.get(rewards[0].outpoint) is not None
    mine()
    assert node.chain.block_of_tx(paid.txid).height == 122


def test_an_invalidated_block_is_left_and_comes_back(node, rewards, purse, mine):
    first, *_, last = mine(3)
    assert node.chain.height == 122
    node.invalidate(first)
    assert node.chain.height == 119
    (other,) = mine()
    assert other != first
    with pytest.raises(BlockRefused, match="bad-prevblk"):
        node.submit(mined(Template(last, 123, node.chain.tip.block.header.time_s + 99, OTHER, b"x"), [], 0))
    node.reconsider(first)
    assert (node.chain.height, node.chain.tip.block.hash) == (122, last)
    assert not node.chain.is_best(node.chain.block(other))


def test_the_genesis_block_cannot_be_invalidated(node):
    with pytest.raises(BlockRefused):
        node.invalidate(node.chain.hash_at(0))


def test_coins_after_many_reorganisations_are_those_of_a_fresh_replay(node, rewards, purse, mine):
    """Each round confirms a payment and its child in one block, then takes that block back."""
    for coin in rewards[:5]:
        parent = purse.paid([coin], [TxOut(10 * COIN_SAT, OTHER), TxOut(39 * COIN_SAT, purse.script)])
        child = purse.paid([purse.coins_in(parent)[0]], [TxOut(38 * COIN_SAT, OTHER)])
        node.accept(parent)
        node.accept(child)
        (block_hash,) = mine()
        node.invalidate(block_hash)
        assert {parent.txid, child.txid} <= {entry.txid for entry in node.mempool}
        mine(2)
    seen = {}
    for height in range(1, node.chain.height + 1):
        for tx in node.chain.at(height).block.transactions:
            for one in tx.inputs:
                seen.pop(one.outpoint, None)
            seen.update((coin.outpoint, coin.amount_sat) for coin in purse.coins_in(tx))
    mine_all = {
        point: node.chain.coins.get(point).output.amount_sat for point in node.chain.coins.of_script(purse.script)
    }
    assert mine_all == seen
    assert len(node.chain.coins.of_script(OTHER)) == 10


def test_the_engine_has_the_last_word_on_a_transaction_of_a_block(node, rewards, purse):
    paid = purse.moved(rewards[0], 1_000)
    forged = Transaction(
        2, (replace(paid.inputs[0], witness=(b"\x30" * 71, paid.inputs[0].witness[1])),), paid.outputs, 0
    )
    with pytest.raises(BlockRefused):
        node.generate_of(OTHER, [forged])
    with pytest.raises(TransactionRefused):
        node.accept(forged)
    node.generate_of(OTHER, [paid])
    assert node.chain.block_of_tx(paid.txid) is not None
