"""The coins of one descriptor, kept in step with the node: one scan, then block by block.

What pays the descriptor from outside counts from its first confirmation on, because it may still be replaced. Its own
unconfirmed change counts at once, and a coin that the mempool spends does not count any more.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from controller.gateways.bitcoind.follower import BlockDisconnected, BlockFollower, BranchLost
from controller.gateways.bitcoind.model import ScriptCoin
from controller.gateways.bitcoind.node import BitcoinNode
from shared.bitcoin.block import Block
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.transaction import OutPoint, Transaction

GAP = 20
"""So many unused addresses in a row are watched; BIP-44's number, which other wallets use as well."""
_MOST_IN_A_ROW = 25


@dataclass(frozen=True, slots=True)
class DescriptorCoin:
    """`branch` and `index` derive its script; `height` is None in the mempool."""

    outpoint: OutPoint
    amount_sat: int
    script: bytes
    branch: int
    index: int
    height: int | None
    coinbase: bool


class DescriptorCoins:
    """Safe to be asked by several tasks, who wait for each other."""

    def __init__(self, node: BitcoinNode, descriptor: Descriptor) -> None:
        self._node = node
        self._descriptor = descriptor
        self._places: dict[bytes, tuple[int, int]] = {}
        self._derived = [0] * descriptor.branches
        self._next = [0] * descriptor.branches
        self._coins: dict[OutPoint, DescriptorCoin] = {}
        self._follower: BlockFollower | None = None
        self._turn = asyncio.Lock()

    @property
    def change_branch(self) -> int:
        return self._descriptor.change_branch

    @property
    def watched(self) -> int:
        """So many indexes of a branch are watched; 0 before the first scan."""
        return max(self._derived)

    async def unspent(self) -> tuple[DescriptorCoin, ...]:
        """As of now. GatewayUnavailable where the node cannot be asked."""
        async with self._turn:
            await self._catch_up()
            return await self._with_mempool()

    async def next_index(self, branch: int) -> int:
        """The first index of a branch that was not seen. What was spent before this program began is not seen."""
        async with self._turn:
            await self._catch_up()
            await self._with_mempool()
            return self._descriptor.indices(self._next[branch] + 1)[-1]

    async def _catch_up(self) -> None:
        while True:
            follower = self._follower = self._follower or await self._scan()
            try:
                steps = await follower.poll()
            except BranchLost:
                self._follower = None
                continue
            if not steps:
                return
            self._follower = None  # what is interrupted from here on is read anew
            for step in steps:
                if isinstance(step, BlockDisconnected):
                    break  # what a lost block spent is ours again: a scan tells
                await self._take(step.block, step.point.height)
            else:
                self._follower = follower

    async def _scan(self) -> BlockFollower:
        """Read all coins anew, until `GAP` unused addresses follow the last used one."""
        await self._derive_ahead()
        while True:
            found = await self._node.coins_of(tuple(self._places))
            self._coins = {coin.outpoint: self._placed(coin) for coin in found.coins}
            if not await self._derive_ahead():
                return BlockFollower(self._node, [found.point])

    async def _take(self, block: Block, height: int) -> None:
        while True:
            for tx in block.transactions:
                found = self._outputs(tx, height, coinbase=tx is block.transactions[0])
                self._coins.update((coin.outpoint, coin) for coin in found)
            if not await self._derive_ahead():
                break
        for tx in block.transactions:
            for one in tx.inputs:
                self._coins.pop(one.outpoint, None)

    async def _with_mempool(self) -> tuple[DescriptorCoin, ...]:
        """Follow our own coins through the mempool: who spends them, and what comes back as change."""
        coins = dict(self._coins)
        fresh = tuple(coins)
        for _ in range(_MOST_IN_A_ROW):
            spenders = await self._node.spenders(fresh)
            for outpoint in spenders:
                coins.pop(outpoint)
            change: list[DescriptorCoin] = []
            for txid in sorted(set(spenders.values())):
                tx = await self._node.transaction(txid)
                change += self._outputs(tx, None) if tx is not None else ()
            if not change:
                break
            coins.update((coin.outpoint, coin) for coin in change)
            fresh = tuple(coin.outpoint for coin in change)
        return tuple(coins.values())

    def _outputs(self, tx: Transaction, height: int | None, *, coinbase: bool = False) -> Iterable[DescriptorCoin]:
        found = []
        for vout, output in enumerate(tx.outputs):
            if output.script in self._places:
                outpoint = OutPoint(tx.txid, vout)
                place = self._seen(output.script)
                found.append(DescriptorCoin(outpoint, output.amount_sat, output.script, *place, height, coinbase))
        return found

    def _placed(self, coin: ScriptCoin) -> DescriptorCoin:
        place = self._seen(coin.script)
        return DescriptorCoin(coin.outpoint, coin.amount_sat, coin.script, *place, coin.height, coin.coinbase)

    def _seen(self, script: bytes) -> tuple[int, int]:
        branch, index = self._places[script]
        self._next[branch] = max(self._next[branch], index + 1)
        return branch, index

    async def _derive_ahead(self) -> bool:
        """Know the scripts of the next addresses; whether there were any to add."""
        wanted = [
            (branch, index)
            for branch, known in enumerate(self._derived)
            for index in self._descriptor.indices(self._next[branch] + GAP)[known:]
        ]
        if not wanted:
            return False
        # Both implementations derive, which takes milliseconds for each.
        self._places |= await asyncio.to_thread(self._scripts, wanted)
        self._derived = [
            max(known, len(self._descriptor.indices(self._next[branch] + GAP)))
            for branch, known in enumerate(self._derived)
        ]
        return True

    def _scripts(self, wanted: Iterable[tuple[int, int]]) -> dict[bytes, tuple[int, int]]:
        return {self._descriptor.derive(branch, index).script: (branch, index) for branch, index in wanted}
