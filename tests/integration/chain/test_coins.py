"""The coins of a contract through blocks, mempool and reorganisations, compared with a scan of the whole chain."""

import asyncio

import msgspec
import pytest

from controller.gateways.bitcoind import DescriptorCoins, TreasuryChain
from controller.gateways.bitcoind.coins import GAP
from controller.signing.ports import Contract
from hardware_sims.chain.purse import Purse
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.network import Network
from shared.bitcoin.transaction import COIN_SAT, Transaction, TxOut
from shared.errors import GatewayUnavailable
from shared.wire.contract import ContractTerms, Party, SpendingPath

MASTER = ExtendedKey.from_seed(bytes(range(32)), Network.REGTEST)
TEXT = f"wpkh({MASTER.public()}/<0;1>/*)"


def purse_at(branch: int, index: int) -> Purse:
    return Purse(MASTER.derive([branch, index]).secret)


@pytest.fixture
def descriptor() -> Descriptor:
    return Descriptor.parse(TEXT, Network.REGTEST)


@pytest.fixture
def coins(gateway, descriptor) -> DescriptorCoins:
    return DescriptorCoins(gateway, descriptor)


@pytest.fixture
def pay(gateway, miner, purse):
    """Broadcast a payment of so many bitcoin to each (branch, index)."""
    left = []

    async def make(*places: tuple[int, int], amount_sat: int = COIN_SAT) -> Transaction:
        left[:] = left or await miner.rewards(10)
        coin = left.pop()
        outputs = [TxOut(amount_sat, purse_at(*place).script) for place in places]
        change = TxOut(coin.amount_sat - amount_sat * len(places) - 5_000, purse.script)
        tx = purse.paid([coin], [*outputs, change])
        await gateway.broadcast(tx.raw)
        return tx

    return make


def places(found) -> list[tuple[int, int, bool]]:
    return sorted((coin.branch, coin.index, coin.height is not None) for coin in found)


async def test_coins_are_found_by_scan_and_by_following_alike(coins, pay, miner, gateway, descriptor):
    await pay((0, 0), (0, 3))
    await miner.mine()
    assert places(await coins.unspent()) == [(0, 0, True), (0, 3, True)]
    await pay((0, 4), (1, 0))
    assert places(await coins.unspent()) == [(0, 0, True), (0, 3, True)], "not before a block has it"
    await miner.mine()
    followed = await coins.unspent()
    assert places(followed) == [(0, 0, True), (0, 3, True), (0, 4, True), (1, 0, True)]
    assert set(followed) == set(await DescriptorCoins(gateway, descriptor).unspent())
    assert [await coins.next_index(branch) for branch in (0, 1)] == [5, 1]


async def test_addresses_beyond_the_gap_are_watched_when_those_before_are_used(coins, pay, miner):
    await coins.unspent()
    await pay((0, GAP - 1), (0, 2 * GAP - 1), (0, 3 * GAP))
    await miner.mine()
    assert places(await coins.unspent()) == [(0, GAP - 1, True), (0, 2 * GAP - 1, True)]
    await pay((0, 2 * GAP + 5))
    await miner.mine()
    assert places(await coins.unspent())[-1] == (0, 2 * GAP + 5, True)


async def test_own_change_counts_in_the_mempool_and_what_it_spends_does_not(coins, pay, miner, gateway):
    tx = await pay((0, 0))
    await miner.mine()
    assert places(await coins.unspent()) == [(0, 0, True)]
    owner = purse_at(0, 0)
    spend = owner.paid(owner.coins_in(tx), [TxOut(COIN_SAT - 1_000, purse_at(1, 0).script)])
    await gateway.broadcast(spend.raw)
    assert places(await coins.unspent()) == [(1, 0, False)]
    change = purse_at(1, 0)
    again = change.paid(change.coins_in(spend), [TxOut(COIN_SAT - 2_000, purse_at(1, 1).script)])
    await gateway.broadcast(again.raw)
    assert places(await coins.unspent()) == [(1, 1, False)]
    assert await coins.next_index(1) == 2
    await miner.mine()
    assert places(await coins.unspent()) == [(1, 1, True)]


async def test_a_reorganisation_gives_back_what_it_took(coins, pay, miner, gateway, rpc, descriptor):
    tx = await pay((0, 0))
    (first,) = await miner.mine()
    owner = purse_at(0, 0)
    spend = owner.paid(owner.coins_in(tx), [TxOut(COIN_SAT - 1_000, purse_at(1, 0).script)])
    await gateway.broadcast(spend.raw)
    (second,) = await miner.mine()
    assert places(await coins.unspent()) == [(1, 0, True)]
    await rpc.call(msgspec.Raw, "invalidateblock", second)
    assert places(await coins.unspent()) == [(1, 0, False)], "the spend waits in the mempool again"
    await rpc.call(msgspec.Raw, "invalidateblock", first)
    assert await coins.unspent() == (), "nothing confirmed, and a payment from outside may still change"
    await miner.mine(2, purse_at(0, 7).address)
    found = await coins.unspent()
    assert set(found) == set(await DescriptorCoins(gateway, descriptor).unspent())
    assert {(coin.branch, coin.index) for coin in found} == {(0, 7), (1, 0)}


async def test_a_descriptor_without_a_wildcard_has_one_place(gateway, pay, miner):
    """All its coins and its change lie at one script."""
    key = MASTER.derive([0, 3]).public_key.hex()
    coins = DescriptorCoins(gateway, Descriptor.parse(f"wpkh({key})", Network.REGTEST))
    tx = await pay((0, 3), (0, 3))
    await miner.mine()
    assert places(await coins.unspent()) == [(0, 0, True), (0, 0, True)]
    owner = purse_at(0, 3)
    await gateway.broadcast(owner.moved(owner.coins_in(tx)[0], 1_000).raw)
    assert places(await coins.unspent()) == [(0, 0, False), (0, 0, True)]
    assert await coins.next_index(0) == 0


async def test_several_contracts_are_scanned_at_once(gateway, pay, miner):
    tx = await pay((0, 1), (0, 2))
    await miner.mine()
    keys = [MASTER.derive([0, index]).public_key.hex() for index in (1, 2, 9)]
    watched = [DescriptorCoins(gateway, Descriptor.parse(f"wpkh({key})", Network.REGTEST)) for key in keys]
    found = await asyncio.gather(*(one.unspent() for one in watched))
    assert [[coin.outpoint.vout for coin in coins] for coins in found] == [[0], [1], []]
    assert {coin.outpoint.txid for coins in found for coin in coins} == {tx.txid}


async def test_many_who_ask_at_once_get_the_same(coins, pay, miner):
    await pay((0, 0), (0, 1))
    await miner.mine()
    first, *others = await asyncio.gather(*(coins.unspent() for _ in range(5)))
    assert all(other == first for other in others)
    assert len(first) == 2


async def test_a_node_that_was_away_is_not_scanned_again(coins, pay, miner, monkeypatch, gateway):
    await coins.unspent()

    async def away(*_: object) -> None:
        raise GatewayUnavailable("away")

    await pay((0, 1))
    await miner.mine()
    with monkeypatch.context() as patched:
        patched.setattr(gateway, "hash_at", away)
        with pytest.raises(GatewayUnavailable):
            await coins.unspent()
    monkeypatch.setattr(gateway, "coins_of", away)
    assert places(await coins.unspent()) == [(0, 1, True)], "the follower goes on where it was"


async def test_an_interrupted_reading_is_done_anew(coins, pay, miner, monkeypatch, gateway):
    await coins.unspent()
    await pay((0, GAP - 1))
    await miner.mine()

    async def broken(*_: object) -> None:
        raise RuntimeError("pulled out")

    with monkeypatch.context() as patched:
        patched.setattr(DescriptorCoins, "_derive_ahead", broken)
        with pytest.raises(RuntimeError):
            await coins.unspent()
    assert places(await coins.unspent()) == [(0, GAP - 1, True)]


async def test_the_ports_of_contracts_and_of_the_money_door(gateway, pay, miner, descriptor):
    terms = ContractTerms(
        network="regtest",
        name="till",
        template="policy",
        descriptor=descriptor.checksum_text,
        epoch=0,
        parties=(Party("ann", "Ann", f"{MASTER.public()}/<0;1>/*", "signer"),),
        paths=(SpendingPath("pay", "signer", ("ann",), 1),),
        birth_height=0,
    )
    contract = Contract(contract_id="c", terms=terms, policy=None, boxes={}, witness_wu={"pay": 110})
    chain = TreasuryChain(gateway)
    tx = await pay((0, 2))
    (block_hash,) = await miner.mine()
    (coin,) = await chain.coins(contract)
    assert (coin.outpoint, coin.amount_sat, coin.previous_tx) == ((tx.txid, 0), COIN_SAT, tx.raw)
    assert coin.script == purse_at(0, 2).script
    (same,) = await chain.unspent(terms)
    assert (same.txid, same.vout, same.height, same.index) == (tx.txid, 0, coin.height, 2)
    assert await chain.next_change_index(contract) == 0
    assert await chain.height() == (await chain.tip()).height == coin.height
    assert (await chain.block_of(tx.txid)).block_hash == block_hash
    assert await chain.fee_rate_sat_kvb(6) is None
    owner = purse_at(0, 2)
    spend = owner.moved(owner.coins_in(tx)[0], 10)
    verdict = await chain.test_accept(spend.raw)
    assert (verdict.allowed, verdict.reason) == (False, "min relay fee not met")
    good = owner.moved(owner.coins_in(tx)[0], 1_000)
    assert (await chain.test_accept(good.raw)).allowed
    await chain.broadcast(good.raw)
    assert await chain.block_of(good.txid) is None
