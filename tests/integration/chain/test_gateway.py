"""The gateway's promises on a real node: typed answers, refusals in the node's own words, reorganisations."""

from dataclasses import replace

import msgspec
import pytest

from controller.gateways.bitcoind import (
    BitcoinNode,
    BlockConnected,
    BlockDisconnected,
    BlockFollower,
    BlockPoint,
    CookieLogin,
    NodeRefused,
    PasswordLogin,
)
from hardware_sims.chain.purse import Purse, PurseCoin
from shared.bitcoin.block import Header
from shared.bitcoin.network import Network
from shared.bitcoin.script import Op, number, p2wsh
from shared.bitcoin.transaction import COIN_SAT, OutPoint, Transaction, TxIn, TxOut
from shared.errors import GatewayRefused, GatewayUnavailable

OTHER = Purse(bytes(31) + b"\x09")


async def test_the_node_says_who_it_is(gateway, miner):
    *_, tip = await miner.mine(3)
    status = await gateway.check()
    assert (status.network, status.tip, status.catching_up) == ("regtest", BlockPoint(3, tip), False)
    assert status.version >= 280_000
    assert await gateway.tip() == status.tip


async def test_a_node_of_another_chain_is_refused(rpc):
    with pytest.raises(GatewayRefused, match="the node is on regtest, this controller on signet"):
        await BitcoinNode(rpc, Network.SIGNET).check()


async def test_headers_come_as_bytes_that_hash_to_their_name(gateway, miner):
    hashes = await miner.mine(5)
    raws = await gateway.headers_from(1, 100)
    assert [Header.parse(raw).hash for raw in raws] == list(hashes)
    assert await gateway.headers_from(6, 10) == ()
    header = await gateway.header(hashes[2])
    assert (header.raw, header.point.height, header.in_chain) == (raws[2], 3, True)
    assert await gateway.header("11" * 32) is None
    assert await gateway.hash_at(6) is None


async def test_a_transaction_goes_its_way(gateway, miner, purse):
    (coin,) = await miner.rewards(1)
    tx = purse.moved(coin, 2_000)
    assert await gateway.confirmations(tx.txid) is None
    verdict = await gateway.test_accept(tx.raw)
    assert (verdict.allowed, verdict.fee_sat, verdict.vsize_vb) == (True, 2_000, tx.vsize_vb)
    assert await gateway.broadcast(tx.raw) == tx.txid
    assert await gateway.waiting() == {tx.txid}
    assert await gateway.confirmations(tx.txid) == 0
    assert await gateway.block_of(tx.txid) is None
    assert not await gateway.is_unspent(coin.outpoint)
    (block_hash,) = await miner.mine()
    assert await gateway.confirmations(tx.txid) == 1
    assert await gateway.block_of(tx.txid) == BlockPoint(102, block_hash)
    assert await gateway.transaction(tx.txid) == tx
    assert await gateway.is_unspent(OutPoint(tx.txid, 0))


async def test_to_broadcast_again_is_no_error_wherever_the_transaction_is(gateway, miner, purse):
    (coin,) = await miner.rewards(1)
    tx = purse.moved(coin, 2_000)
    for _ in range(2):
        assert await gateway.broadcast(tx.raw) == tx.txid
    await miner.mine()
    assert await gateway.broadcast(tx.raw) == tx.txid, "its outputs are unspent"
    await gateway.broadcast(purse.moved(purse.coins_in(tx)[0], 2_000).raw)
    await miner.mine()
    assert await gateway.broadcast(tx.raw) == tx.txid, "its outputs are spent"


async def test_refusals_keep_the_words_of_the_node(gateway, miner, purse):
    first, second = await miner.rewards(2)
    await gateway.broadcast(purse.moved(first, 5_000).raw)
    cases = {
        "missing-inputs": purse.moved(PurseCoin(OutPoint("ab" * 32, 0), COIN_SAT), 1_000),
        "insufficient fee": purse.moved(first, 5_001),
        "min relay fee not met": purse.moved(second, 10),
        "non-final": purse.moved(second, 2_000, lock_time=5_000),
        "non-BIP68-final": purse.moved(second, 2_000, sequence=500),
        "dust": purse.paid([second], [TxOut(200, purse.script), TxOut(49 * COIN_SAT, purse.script)]),
        "bad-txns-in-belowout": purse.paid([second], [TxOut(51 * COIN_SAT, purse.script)]),
    }
    for reason, tx in cases.items():
        verdict = await gateway.test_accept(tx.raw)
        assert (verdict.allowed, verdict.reason) == (False, reason)
        with pytest.raises(NodeRefused) as caught:
            await gateway.broadcast(tx.raw)
        expected = "bad-txns-inputs-missingorspent" if reason == "missing-inputs" else reason
        assert caught.value.reason.startswith(expected)
        assert caught.value.number == (-25 if reason == "missing-inputs" else -26)


async def test_a_wrong_signature_is_refused_by_consensus(gateway, miner, purse):
    (coin,) = await miner.rewards(1)
    tx = purse.moved(coin, 2_000)
    stolen = replace(tx, inputs=(replace(tx.inputs[0], witness=OTHER.moved(coin, 2_000).inputs[0].witness),))
    verdict = await gateway.test_accept(stolen.raw)
    assert verdict.reason.startswith(("mandatory-script-verify-flag-failed", "mempool-script-verify-flag-failed"))


@pytest.mark.parametrize("lock", ["older", "after"])
async def test_time_locks_open_at_their_block(gateway, miner, purse, lock):
    (coin,) = await miner.rewards(1)
    height = (await gateway.tip()).height
    value, op = (144, Op.CHECKSEQUENCEVERIFY) if lock == "older" else (height + 144, Op.CHECKLOCKTIMEVERIFY)
    script = number(value) + bytes((op, Op.DROP, Op.ONE))
    funding = purse.paid([coin], [TxOut(50 * COIN_SAT - 2_000, p2wsh(script))])
    await gateway.broadcast(funding.raw)
    await miner.mine()
    sequence, lock_time = (144, 0) if lock == "older" else (0xFFFFFFFE, value)
    one = TxIn(OutPoint(funding.txid, 0), sequence=sequence, witness=(script,))
    spend = Transaction(2, (one,), (TxOut(50 * COIN_SAT - 4_000, purse.script),), lock_time)
    await miner.mine(142)
    assert (await gateway.test_accept(spend.raw)).reason == ("non-BIP68-final" if lock == "older" else "non-final")
    await miner.mine()
    assert (await gateway.test_accept(spend.raw)).allowed


async def test_coins_of_scripts_are_told_to_the_satoshi(gateway, miner, purse):
    (coin,) = await miner.rewards(1)
    outputs = [TxOut(12_345_678, OTHER.script), TxOut(1_000_000_001, OTHER.script)]
    tx = purse.paid([coin], [*outputs, TxOut(50 * COIN_SAT - 1_012_345_679 - 2_000, purse.script)])
    await gateway.broadcast(tx.raw)
    assert (await gateway.coins_of([OTHER.script])).coins == ()
    await miner.mine()
    found = await gateway.coins_of([OTHER.script, p2wsh(b"\x51")])
    assert found.point == await gateway.tip()
    assert sorted((one.outpoint.vout, one.amount_sat, one.height, one.coinbase) for one in found.coins) == [
        (0, 12_345_678, 102, False),
        (1, 1_000_000_001, 102, False),
    ]


async def test_fees_are_unknown_where_nobody_knows_and_the_floor_is_told(gateway):
    assert await gateway.fee_rate_sat_kvb(6) is None
    assert await gateway.least_rate_sat_kvb() == 1_000


async def test_the_follower_walks_back_on_a_reorganisation(gateway, miner, rpc, purse):
    hashes = await miner.mine(10)
    follower = BlockFollower(gateway, [BlockPoint(0, await gateway.hash_at(0))])
    steps = await follower.poll()
    assert [step.point for step in steps] == [BlockPoint(at, one) for at, one in enumerate(hashes, start=1)]
    assert all(isinstance(step, BlockConnected) and step.block.hash == step.point.block_hash for step in steps)
    assert await follower.poll() == ()
    await rpc.call(msgspec.Raw, "invalidateblock", hashes[7])
    others = await miner.mine(4, OTHER.address)
    steps = await follower.poll()
    left = [step.point.block_hash for step in steps if isinstance(step, BlockDisconnected)]
    joined = [step.point.block_hash for step in steps if isinstance(step, BlockConnected)]
    assert (left, joined) == ([hashes[9], hashes[8], hashes[7]], list(others))
    assert follower.tip == await gateway.tip()
    resumed = BlockFollower(gateway, [BlockPoint(7, hashes[6]), BlockPoint(8, hashes[7])])
    first, *_ = await resumed.poll()
    assert first == BlockDisconnected(BlockPoint(8, hashes[7]))
    with pytest.raises(GatewayRefused, match="the chain left us"):
        await BlockFollower(gateway, [BlockPoint(8, hashes[7])]).poll()


async def test_a_payment_of_a_lost_block_waits_again_and_confirms_in_the_other(gateway, miner, rpc, purse):
    (coin,) = await miner.rewards(1)
    tx = purse.moved(coin, 2_000)
    await gateway.broadcast(tx.raw)
    (lost,) = await miner.mine()
    await rpc.call(msgspec.Raw, "invalidateblock", lost)
    assert await gateway.block_of(tx.txid) is None
    assert await gateway.confirmations(tx.txid) == 0
    empty = (await rpc.call(dict, "generateblock", OTHER.address, []))["hash"]
    (found,) = await miner.mine(1, OTHER.address)
    assert await gateway.block_of(tx.txid) == BlockPoint(103, found)
    assert (await gateway.header(empty)).in_chain
    await rpc.call(msgspec.Raw, "reconsiderblock", lost)
    assert await gateway.block_of(tx.txid) == BlockPoint(103, found), "one block does not beat two"


async def test_logins_are_told_apart_from_a_node_that_is_away(running, program, tmp_path, gateway):
    wrong = running.rpc(PasswordLogin("treasury", "wrong"))
    with pytest.raises(GatewayRefused, match="refuses our login"):
        await wrong.call(int, "getblockcount")
    await wrong.aclose()
    absent = running.rpc(CookieLogin(tmp_path / "nowhere"))
    with pytest.raises(GatewayUnavailable, match="start the node"):
        await absent.call(int, "getblockcount")
    await absent.aclose()


async def test_a_node_that_restarts_is_found_again_with_its_new_cookie(program, running, gateway, miner, purse):
    (coin,) = await miner.rewards(1)
    tx = purse.moved(coin, 2_000)
    await gateway.broadcast(tx.raw)
    tip = await gateway.tip()
    await program.stop()
    with pytest.raises(GatewayUnavailable):
        await gateway.tip()
    await program.start()
    fresh = running.rpc()
    again = BitcoinNode(fresh, Network.REGTEST)
    assert await again.tip() == tip
    assert await again.waiting() == {tx.txid}, "a clean stop keeps the mempool"
    await fresh.aclose()
