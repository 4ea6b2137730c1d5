"""The node's own path to compare with: final transactions of real coins, asked about over JSON-RPC one by one."""

import os
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.contracts_load import COIN_SAT, HEIGHT, INDEXES, executions
from benchmarks.process import Child, bes
from controller.gateways.bitcoind.login import CookieLogin
from controller.gateways.bitcoind.node import BitcoinNode
from controller.gateways.bitcoind.rpc import JsonRpc
from controller.signing.execution.card import card_of
from controller.signing.execution.case import executed
from controller.signing.ownership import derived_at
from controller.signing.ports import Contract
from hardware_sims.chain.bitcoind import version_of
from hardware_sims.chain.purse import Purse, PurseCoin
from shared.bitcoin.network import Network
from shared.bitcoin.transaction import Transaction, TxOut

_MATURE_BLOCKS = 101
_FEE_SAT = 10_000
_REST_SAT = 10_000


def node_name() -> str:
    """Which node answers: the program that BITCOIND names, or the simulated one."""
    program = os.environ.get("BITCOIND")
    return "the simulated node" if not program else version_of(program).splitlines()[0]


async def rpc_accepts_per_s(contract: Contract, count: int) -> int | None:
    """Testmempoolaccept of `count` different executions a second; None where none are asked for."""
    if not count:
        return None
    with tempfile.TemporaryDirectory(prefix="bes-node-") as name:
        folder = Path(name)
        words = ("chain", "--memory", "--port", "0", "--datadir", str(folder))
        with Child(bes("sims", *words), log=folder / "node.log") as child:
            ready = msgspec.json.decode(child.line())
            rpc = JsonRpc(ready["url"], CookieLogin(Path(ready["cookie_file"])))
            try:
                return await _measured(BitcoinNode(rpc, Network.REGTEST), rpc, contract, count)
            finally:
                await rpc.aclose()


async def _measured(node: BitcoinNode, rpc: JsonRpc, contract: Contract, count: int) -> int:
    coins = await _funded(node, rpc, contract, count)
    card = card_of(contract, INDEXES)
    load = executions(contract, count, lambda number, _script: coins[number])
    finals = [executed(card, one, HEIGHT).raw for one in load]
    started_s = time.perf_counter()
    for raw in finals:
        told = await node.test_accept(raw)
        assert told.allowed, told.reason
    return round(count / (time.perf_counter() - started_s))


async def _funded(node: BitcoinNode, rpc: JsonRpc, contract: Contract, count: int) -> list[Transaction]:
    """A mined transaction for each execution, which pays one script of the contract."""
    purse = Purse()
    await rpc.call(list[str], "generatetoaddress", _MATURE_BLOCKS, purse.address)
    first = await node.hash_at(1)
    assert first is not None
    (reward, *_) = purse.coins_in((await node.block(first)).transactions[0])
    each_sat = COIN_SAT + _REST_SAT + _FEE_SAT
    split = purse.paid([reward], [TxOut(each_sat, purse.script)] * count)
    split = purse.paid([reward], [*split.outputs, TxOut(_left(reward, split), purse.script)])
    await node.broadcast(split.raw)
    await rpc.call(list[str], "generatetoaddress", 1, purse.address)
    receive = [derived_at(contract, (0, index)).script for index in range(INDEXES)]
    found = []
    for number, coin in enumerate(purse.coins_in(split)[:count]):
        outputs = [TxOut(COIN_SAT, receive[number % INDEXES]), TxOut(_REST_SAT, purse.script)]
        tx = purse.paid([coin], outputs)
        await node.broadcast(tx.raw)
        found.append(tx)
    await rpc.call(list[str], "generatetoaddress", 1, purse.address)
    return found


def _left(reward: PurseCoin, split: Transaction) -> int:
    """What the split leaves of the reward after a fee."""
    return reward.amount_sat - split.output_sat - 100 * _FEE_SAT
