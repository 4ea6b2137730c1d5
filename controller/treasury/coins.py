"""The confirmed coins of contracts, followed block by block from one look at all coins of the chain."""

from collections import defaultdict

from controller.gateways.bitcoind import BitcoinNode, BlockConnected, BlockFollower, BlockPoint
from controller.signing.model import Coin
from controller.signing.spending import descriptor_of
from shared.bitcoin.block import Block
from shared.bitcoin.transaction import OutPoint, Transaction
from shared.errors import GatewayUnavailable
from shared.wire.contract import ContractTerms, contract_id

GAP = 50
"""So many scripts are watched beyond the highest one that the chain has shown."""
RECEIVING, CHANGE = 0, 1
Place = tuple[str, int, int]  # contract, branch, index


class CoinIndex:
    """`refresh` before reading. A branch of the chain that leaves is answered by a new look at all coins: rare, and
    never wrong.
    """

    def __init__(self, node: BitcoinNode) -> None:
        self._node = node
        self._terms: dict[str, ContractTerms] = {}
        self._places: dict[bytes, Place] = {}
        self._derived: defaultdict[tuple[str, int], int] = defaultdict(int)  # so many scripts of a branch are watched
        self._highest: dict[tuple[str, int], int] = {}
        self._coins: dict[tuple[str, int], Coin] = {}
        self._raw: dict[str, bytes] = {}
        self._follower: BlockFollower | None = None

    def watch(self, terms: ContractTerms) -> None:
        """From the next `refresh` on."""
        name = contract_id(terms)
        if name not in self._terms:
            self._terms[name] = terms
            self._follower = None

    @property
    def tip(self) -> BlockPoint | None:
        """As of the last `refresh`; None before the first."""
        return None if self._follower is None else self._follower.tip

    def next_index(self, name: str, branch: int) -> int:
        """The first that no coin was seen at. Coins that were spent before the first look are not counted."""
        return self._highest.get((name, branch), -1) + 1

    async def refresh(self) -> None:
        """GatewayUnavailable where the node cannot be asked; what was known then stays."""
        if self._follower is None:
            await self._look()
        assert self._follower is not None
        while steps := await self._follower.poll():
            for step in steps:
                if not isinstance(step, BlockConnected):
                    await self._look()
                    break
                await self._take(step.block, step.point.height)

    async def unspent(self, name: str) -> list[Coin]:
        """Of one contract, without those that a waiting transaction spends already."""
        mine = [coin for coin in self._coins.values() if self._places.get(coin.script, ("", 0, 0))[0] == name]
        return [coin for coin in mine if await self._node.is_unspent(OutPoint(coin.txid, coin.vout))]

    async def _look(self) -> None:
        """At all coins of the chain, until no script within the gap is missing."""
        while True:
            self._derive()
            if not self._places:
                self._follower = BlockFollower(self._node, [await self._node.tip()])
                return
            found = await self._node.coins_of(list(self._places))
            self._coins = {}
            for one in found.coins:
                await self._add(
                    one.outpoint.txid, one.outpoint.vout, one.amount_sat, one.script, one.height, one.coinbase
                )
            if not self._derive():
                self._follower = BlockFollower(self._node, [found.point])
                return

    def _derive(self) -> bool:
        """Watch `GAP` scripts beyond the highest of each branch; whether there were new ones."""
        new = False
        for name, terms in self._terms.items():
            descriptor = descriptor_of(terms.descriptor, terms.network)
            for branch in (RECEIVING, CHANGE):
                until = self.next_index(name, branch) + GAP if descriptor.is_ranged else 1
                for index in range(self._derived[name, branch], until):
                    self._places[descriptor.derive(branch, index).script] = (name, branch, index)
                    new = True
                self._derived[name, branch] = max(until, self._derived[name, branch])
        return new

    async def _take(self, block: Block, height: int) -> None:
        for number, tx in enumerate(block.transactions):
            for spent in tx.inputs:
                self._coins.pop((spent.outpoint.txid, spent.outpoint.vout), None)
            await self._add_outputs(tx, height, coinbase=number == 0)
        self._derive()

    async def _add_outputs(self, tx: Transaction, height: int, *, coinbase: bool) -> None:
        for vout, output in enumerate(tx.outputs):
            if output.script in self._places:
                self._raw[tx.txid] = tx.raw
                await self._add(tx.txid, vout, output.amount_sat, output.script, height, coinbase)

    async def _add(self, txid: str, vout: int, amount_sat: int, script: bytes, height: int, coinbase: bool) -> None:
        name, branch, index = self._places[script]
        self._highest[name, branch] = max(self._highest.get((name, branch), -1), index)
        self._coins[txid, vout] = Coin(
            txid=txid,
            vout=vout,
            amount_sat=amount_sat,
            script=script,
            branch=branch,
            index=index,
            height=height,
            previous_tx=await self._previous(txid),
            coinbase=coinbase,
        )

    async def _previous(self, txid: str) -> bytes:
        if txid not in self._raw:
            tx = await self._node.transaction(txid)
            if tx is None:
                raise GatewayUnavailable(f"transaction {txid}: the node shows its output and not the transaction")
            self._raw[txid] = tx.raw
        return self._raw[txid]
