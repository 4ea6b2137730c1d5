"""The node as contracts (`contracts.ports.Coins`), forwards (`contracts.forward.ports.ForwardChain`) and the money door
(`signing.ports.Chain`) see it.
"""

from collections import OrderedDict
from collections.abc import Sequence

from controller.contracts.ports import ContractCoin
from controller.gateways.bitcoind.coins import GAP, DescriptorCoin, DescriptorCoins
from controller.gateways.bitcoind.node import BitcoinNode
from controller.signing.model import ChainPoint, Coin
from controller.signing.ports import Acceptance, Contract
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.network import Network
from shared.bitcoin.transaction import OutPoint
from shared.errors import GatewayUnavailable
from shared.wire.contract import ContractTerms

_REMEMBERED = 5_000


class TreasuryChain:
    """One for all contracts; each descriptor is scanned when it is asked for the first time.

    `known_height` is that of the tip when it was read last; None before.
    """

    def __init__(self, node: BitcoinNode) -> None:
        self._node = node
        self.known_height: int | None = None
        self._coins: dict[str, DescriptorCoins] = {}
        self._previous: OrderedDict[str, bytes] = OrderedDict()

    async def tip(self) -> ChainPoint:
        point = await self._node.tip()
        self.known_height = point.height
        return ChainPoint(point.height, point.block_hash)

    async def height(self) -> int:
        return (await self.tip()).height

    async def coins(self, contract: Contract) -> Sequence[Coin]:
        found = await self._of(contract.terms).unspent()
        return [await self._coin(one) for one in found]

    async def unspent(self, terms: ContractTerms) -> tuple[ContractCoin, ...]:
        return tuple(
            ContractCoin(
                txid=one.outpoint.txid,
                vout=one.outpoint.vout,
                amount_sat=one.amount_sat,
                height=one.height,
                branch=one.branch,
                index=one.index,
            )
            for one in await self._of(terms).unspent()
        )

    async def next_change_index(self, contract: Contract) -> int:
        coins = self._of(contract.terms)
        return await coins.next_index(coins.change_branch)

    async def next_index(self, terms: ContractTerms, branch: int) -> int:
        """The first index of a branch that was not seen."""
        return await self._of(terms).next_index(branch)

    def watched(self, terms: ContractTerms) -> int:
        """So many indexes of a branch, unused ones included, were watched when the coins were read last."""
        return max(self._of(terms).watched, GAP)

    async def fee_rate_sat_kvb(self, target_blocks: int) -> int | None:
        return await self._node.fee_rate_sat_kvb(target_blocks)

    async def least_rate_sat_kvb(self) -> int:
        return await self._node.least_rate_sat_kvb()

    async def test_accept(self, raw: bytes) -> Acceptance:
        found = await self._node.test_accept(raw)
        return Acceptance(found.allowed, found.reason or "")

    async def broadcast(self, raw: bytes) -> None:
        await self._node.broadcast(raw)

    async def holds(self, txid: str, vout: int) -> bool:
        return await self._node.is_unspent(OutPoint(txid, vout), mempool=False)

    async def block_of(self, txid: str) -> ChainPoint | None:
        point = await self._node.block_of(txid)
        return None if point is None else ChainPoint(point.height, point.block_hash)

    async def height_of(self, txid: str) -> int | None:
        """Of the block that holds a transaction; None where it is in none."""
        point = await self._node.block_of(txid)
        return None if point is None else point.height

    async def bits_at(self, height: int) -> int | None:
        """The compact target of the best branch's block at a height; None above its tip."""
        block_hash = await self._node.hash_at(height)
        header = None if block_hash is None else await self._node.header(block_hash)
        return None if header is None else int.from_bytes(header.raw[72:76], "little")

    def _of(self, terms: ContractTerms) -> DescriptorCoins:
        known = self._coins.get(terms.descriptor)
        if known is None:
            descriptor = Descriptor.parse(terms.descriptor, Network(terms.network))
            known = self._coins[terms.descriptor] = DescriptorCoins(self._node, descriptor)
        return known

    async def _coin(self, one: DescriptorCoin) -> Coin:
        return Coin(
            txid=one.outpoint.txid,
            vout=one.outpoint.vout,
            amount_sat=one.amount_sat,
            script=one.script,
            branch=one.branch,
            index=one.index,
            height=one.height,
            previous_tx=await self._previous_tx(one),
            coinbase=one.coinbase,
        )

    async def _previous_tx(self, one: DescriptorCoin) -> bytes:
        """The whole transaction that made a coin."""
        txid = one.outpoint.txid
        raw = self._previous.get(txid)
        if raw is None:
            tx = await self._node.transaction(txid)
            if tx is None:
                raise GatewayUnavailable(f"transaction {txid}: it left the chain while its coins were read; ask again")
            raw = self._previous[txid] = tx.raw
            if len(self._previous) > _REMEMBERED:
                self._previous.popitem(last=False)
        return raw
