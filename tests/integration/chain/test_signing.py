"""The money door on a node: what it builds, replaces and recovers is what a node takes and mines."""

from pathlib import Path

import msgspec
import pytest

from controller.gateways.bitcoind import TreasuryChain
from controller.signing.model import ProposalStatus
from controller.signing.ownership import derived_at
from shared.bitcoin.transaction import COIN_SAT, Transaction, TxOut
from shared.errors import Denied
from tests.controller.signing.money import CAROL, operating, vault
from tests.controller.signing.stage import Stage, journal_at

S = ProposalStatus


@pytest.fixture
async def stage(tmp_path: Path, gateway, miner, purse):
    safe, wallet = vault(("a", "b", "r")), operating()
    rewards = await miner.rewards(2)
    for contract, coin in zip((safe, wallet), rewards, strict=True):
        outputs = [TxOut(COIN_SAT, derived_at(contract, (0, index)).script) for index in range(3)]
        change = TxOut(coin.amount_sat - 3 * COIN_SAT - 5_000, purse.script)
        await gateway.broadcast(purse.paid([coin], [*outputs, change]).raw)
    await miner.mine()
    async with journal_at(tmp_path) as store:
        made = Stage(store, safe, wallet, chain=TreasuryChain(gateway))
        await made.restore()
        yield made


async def paid(stage, contract, **more):
    progress = await stage.propose(contract, 20_000_000, fee_rate_sat_kvb=3_000, **more)
    await stage.approve(progress.proposal_id)
    await stage.run()
    return progress


async def test_payments_are_taken_mined_and_buried(stage, miner):
    for contract in stage.contracts.values():
        progress = await paid(stage, contract)
        assert progress.status is S.BROADCAST, progress.detail
        final = Transaction.parse(progress.final.raw)
        shorter_wu = progress.proposal.weight_wu - final.weight_wu
        assert 0 <= shorter_wu <= 6 * len(final.inputs)  # low R, and now and then a byte less
    for _ in range(3):
        await miner.mine()
        await stage.service.tick()
    assert all(one.status is S.BURIED for c in stage.contracts for one in stage.board.listed(c))


async def test_a_replacement_is_what_the_node_calls_one(stage, miner, gateway):
    safe = next(iter(stage.contracts.values()))
    first = await paid(stage, safe)
    second = await stage.service.proposing.replace(first.proposal_id, 9_000, CAROL, "it waits too long")
    await stage.approve(second.proposal_id)
    await stage.run()
    assert second.status is S.BROADCAST, second.detail
    assert await gateway.waiting() == {second.proposal.txid}
    for _ in range(3):
        await miner.mine()
        await stage.service.tick()
    assert (first.status, second.status) == (S.REPLACED, S.BURIED)


async def test_a_child_is_taken_beside_its_parent(stage, miner, gateway):
    wallet = list(stage.contracts.values())[1]
    parent = await paid(stage, wallet)
    child = await stage.service.proposing.help(parent.proposal_id, 20_000, CAROL, "stuck")
    await stage.approve(child.proposal_id)
    await stage.run()
    assert child.status is S.BROADCAST, child.detail
    assert await gateway.waiting() == {parent.proposal.txid, child.proposal.txid}


async def test_the_recovery_opens_at_its_block_and_not_before(stage, miner):
    safe = next(iter(stage.contracts.values()))
    coins = [coin.outpoint for coin in await stage.chain.coins(safe)]
    with pytest.raises(Denied) as early:
        await stage.propose(safe, 0, path="recovery", coins=tuple(coins), fee_rate_sat_kvb=3_000)
    assert early.value.rule == "coins.immature"
    for _ in range(9):
        await miner.mine()
    policy = msgspec.structs.replace(safe.policy, approvals_needed=1)
    stage.contracts[safe.contract_id] = msgspec.structs.replace(safe, policy=policy)
    progress = await stage.propose(safe, 0, path="recovery", coins=tuple(coins), fee_rate_sat_kvb=3_000)
    await stage.approve(progress.proposal_id, "rosa")
    await stage.run()
    assert progress.status is S.BROADCAST, progress.detail
