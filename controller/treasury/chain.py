"""A Bitcoin node in the words of contracts and of the money door."""

from collections.abc import Sequence

from controller.contracts.ports import ContractCoin
from controller.gateways.bitcoind import BitcoinNode, BlockPoint
from controller.signing.model import ChainPoint, Coin
from controller.signing.ports import Acceptance, Contract
from controller.treasury.coins import CHANGE, CoinIndex
from shared.wire.contract import ContractTerms, contract_id


class NodeChain:
    """Fills `controller.signing.ports.Chain` and `controller.contracts.ports.Coins`."""

    def __init__(self, node: BitcoinNode, index: CoinIndex) -> None:
        self._node = node
        self._index = index

    async def tip(self) -> ChainPoint:
        return _point(await self._node.tip())

    async def height(self) -> int:
        return (await self._node.tip()).height

    async def coins(self, contract: Contract) -> Sequence[Coin]:
        return await self._coins(contract.terms)

    async def unspent(self, terms: ContractTerms) -> tuple[ContractCoin, ...]:
        return tuple(
            ContractCoin(
                txid=coin.txid,
                vout=coin.vout,
                amount_sat=coin.amount_sat,
                height=coin.height,
                branch=coin.branch,
                index=coin.index,
            )
            for coin in await self._coins(terms)
        )

    async def next_change_index(self, contract: Contract) -> int:
        await self._coins(contract.terms)
        return self._index.next_index(contract.contract_id, CHANGE)

    async def fee_rate_sat_kvb(self, target_blocks: int) -> int | None:
        return await self._node.fee_rate_sat_kvb(target_blocks)

    async def least_rate_sat_kvb(self) -> int:
        return await self._node.least_rate_sat_kvb()

    async def test_accept(self, raw: bytes) -> Acceptance:
        found = await self._node.test_accept(raw)
        return Acceptance(found.allowed, found.reason or "")

    async def broadcast(self, raw: bytes) -> None:
        await self._node.broadcast(raw)

    async def block_of(self, txid: str) -> ChainPoint | None:
        found = await self._node.block_of(txid)
        return None if found is None else _point(found)

    async def _coins(self, terms: ContractTerms) -> list[Coin]:
        self._index.watch(terms)
        await self._index.refresh()
        return await self._index.unspent(contract_id(terms))


def _point(found: BlockPoint) -> ChainPoint:
    return ChainPoint(found.height, found.block_hash)
