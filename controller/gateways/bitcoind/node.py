"""The node's calls that a treasury needs, typed. Every method may be called again after any failure."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from controller.gateways.bitcoind.answer import (
    AcceptInfo,
    ChainInfo,
    FeeInfo,
    HeaderInfo,
    IndexInfo,
    MempoolInfo,
    NetworkInfo,
    ScanInfo,
    SpendingInfo,
    TransactionInfo,
    sat,
)
from controller.gateways.bitcoind.model import (
    Acceptance,
    BlockHeader,
    BlockPoint,
    NodeStatus,
    ScriptCoin,
    ScriptCoins,
)
from controller.gateways.bitcoind.rpc import JsonRpc, NodeRefused
from shared.bitcoin.block import Block
from shared.bitcoin.network import Network
from shared.bitcoin.transaction import OutPoint, Transaction
from shared.errors import BitcoinDisagreement, BitcoinMalformed, GatewayRefused, GatewayUnavailable

_T = TypeVar("_T")
LEAST_VERSION = 280_000
_SCAN_S = 900.0  # the whole set of coins is read
_SCANNING = "Scan already in progress"
_NOT_FOUND, _OUT_OF_RANGE, _VERIFY, _REJECTED, _IN_UTXO_SET = -5, -8, -25, -26, -27
_HAS_IT = ("txn-already-in-mempool", "txn-already-known")


class BitcoinNode:
    """GatewayUnavailable where the node cannot be asked; NodeRefused with its own reason where it says no."""

    def __init__(self, rpc: JsonRpc, network: Network) -> None:
        self._rpc = rpc
        self._network = network
        self._scan_turn = asyncio.Lock()

    async def check(self) -> NodeStatus:
        """The node's state, or GatewayRefused: another chain, too old, or without the index of transactions."""
        info = await self._rpc.call(ChainInfo, "getblockchaininfo")
        version = (await self._rpc.call(NetworkInfo, "getnetworkinfo")).version
        index = (await self._rpc.call(IndexInfo, "getindexinfo", "txindex")).txindex
        if info.chain != self._network:
            raise GatewayRefused(f"the node is on {info.chain}, this controller on {self._network}; name another node")
        if version < LEAST_VERSION:
            raise GatewayRefused(f"the node has version {version}; from {LEAST_VERSION} on it will do")
        if index is None:
            raise GatewayRefused("the node keeps no index of transactions; start it with -txindex=1")
        if not index.synced:
            raise GatewayUnavailable("the node is still building its index of transactions")
        tip = BlockPoint(info.blocks, info.bestblockhash)
        return NodeStatus(info.chain, version, tip, info.mediantime, info.initialblockdownload)

    async def tip(self) -> BlockPoint:
        info = await self._rpc.call(ChainInfo, "getblockchaininfo")
        return BlockPoint(info.blocks, info.bestblockhash)

    async def header(self, block_hash: str) -> BlockHeader | None:
        """None where the node does not know the block."""
        try:
            info = await self._rpc.call(HeaderInfo, "getblockheader", block_hash)
            raw = bytes.fromhex(await self._rpc.call(str, "getblockheader", block_hash, False))
        except NodeRefused as refusal:
            if refusal.number == _NOT_FOUND:
                return None
            raise
        return BlockHeader(BlockPoint(info.height, info.hash), raw, info.mediantime, info.confirmations > 0)

    async def headers_from(self, height: int, count: int) -> tuple[bytes, ...]:
        """At most `count` headers of 80 bytes of the best branch from a height on; fewer where it ends."""
        tip = await self.tip()
        heights = range(height, min(height + count, tip.height + 1))
        try:
            hashes = await self._rpc.batch(str, [("getblockhash", [one]) for one in heights])
        except NodeRefused as refusal:
            if refusal.number == _OUT_OF_RANGE:
                raise GatewayUnavailable("the chain moved while its headers were read; ask again") from refusal
            raise
        raws = await self._rpc.batch(str, [("getblockheader", [one, False]) for one in hashes])
        return tuple(bytes.fromhex(raw) for raw in raws)

    async def hash_at(self, height: int) -> str | None:
        """The block of the best branch at a height; None above its tip."""
        try:
            return await self._rpc.call(str, "getblockhash", height)
        except NodeRefused as refusal:
            if refusal.number == _OUT_OF_RANGE:
                return None
            raise

    async def block(self, block_hash: str) -> Block:
        """A whole block, checked against its own header."""
        raw = await self._rpc.call(str, "getblock", block_hash, 0)
        try:
            block = Block.parse(bytes.fromhex(raw))
        except (ValueError, BitcoinMalformed, BitcoinDisagreement) as error:
            raise GatewayUnavailable(f"block {block_hash}: what the node sent is none: {error}") from error
        if block.hash != block_hash or not block.is_whole:
            raise GatewayUnavailable(f"block {block_hash}: what the node sent is another one")
        return block

    async def broadcast(self, raw: bytes) -> str:
        """Hand a transaction over; its txid, also where the node has it already. NodeRefused with its reject reason."""
        txid = Transaction.parse(raw).txid
        try:
            await self._rpc.call(str, "sendrawtransaction", raw.hex())
        except NodeRefused as refusal:
            if not await self._has(txid, refusal):
                raise
        return txid

    async def test_accept(self, raw: bytes) -> Acceptance:
        """What the node would say; nothing is broadcast."""
        (info,) = await self._rpc.call(tuple[AcceptInfo], "testmempoolaccept", [raw.hex()])
        if not info.allowed:
            return Acceptance(info.txid, info.reason or "unknown", None, None)
        return Acceptance(info.txid, None, None if info.fees is None else sat(info.fees.base), info.vsize)

    async def fee_rate_sat_kvb(self, target_blocks: int) -> int | None:
        """What confirms within so many blocks; None where the node has not seen enough to know."""
        info = await self._rpc.call(FeeInfo, "estimatesmartfee", target_blocks)
        return None if info.feerate is None else sat(info.feerate)

    async def least_rate_sat_kvb(self) -> int:
        """Below it nothing enters the node's mempool now."""
        info = await self._rpc.call(MempoolInfo, "getmempoolinfo")
        return max(sat(info.mempoolminfee), sat(info.minrelaytxfee))

    async def coins_of(self, scripts: Sequence[bytes]) -> ScriptCoins:
        """The confirmed coins of scripts, from the node's whole set of coins: slow on a large chain."""
        wanted = [f"raw({script.hex()})" for script in scripts]
        async with self._scan_turn:  # a node does one scan at a time
            info = await self._scanned(wanted)
        if not info.success:
            raise GatewayUnavailable("scantxoutset: the node broke the scan off; ask again")
        coins = tuple(
            ScriptCoin(
                OutPoint(one.txid, one.vout), sat(one.amount), bytes.fromhex(one.script), one.height, one.coinbase
            )
            for one in info.unspents
        )
        return ScriptCoins(BlockPoint(info.height, info.bestblock), coins)

    async def block_of(self, txid: str) -> BlockPoint | None:
        """The block of the best branch that holds a transaction; None where none does."""
        found = await self._transaction(txid)
        if found is None or found.blockhash is None:
            return None
        header = await self.header(found.blockhash)
        return header.point if header is not None and header.in_chain else None

    async def confirmations(self, txid: str) -> int | None:
        """0 in the mempool, 1 in the tip; None where the node does not know the transaction."""
        found = await self._transaction(txid)
        return None if found is None else max(found.confirmations, 0)

    async def transaction(self, txid: str) -> Transaction | None:
        """From mempool or chain; None where the node knows none."""
        raw = await self._looked_up(str, txid, 0)
        if raw is None:
            return None
        tx = Transaction.parse(bytes.fromhex(raw))
        if tx.txid != txid:
            raise GatewayUnavailable(f"transaction {txid}: what the node sent is another one")
        return tx

    async def waiting(self) -> frozenset[str]:
        """The txids in the node's mempool."""
        return frozenset(await self._rpc.call(tuple[str, ...], "getrawmempool"))

    async def spenders(self, outpoints: Sequence[OutPoint]) -> dict[OutPoint, str]:
        """Who spends outputs in the node's mempool; what nobody spends there is left out."""
        if not outpoints:
            return {}
        wanted = [{"txid": one.txid, "vout": one.vout} for one in outpoints]
        found = await self._rpc.call(tuple[SpendingInfo, ...], "gettxspendingprevout", wanted)
        pairs = zip(outpoints, found, strict=True)
        return {outpoint: info.spendingtxid for outpoint, info in pairs if info.spendingtxid is not None}

    async def is_unspent(self, outpoint: OutPoint, *, mempool: bool = True) -> bool:
        """Whether an output exists and nothing spends it, the mempool included or not."""
        found = await self._rpc.call(msgspec.Raw, "gettxout", outpoint.txid, outpoint.vout, mempool)
        return bytes(found) != b"null"

    async def _scanned(self, descriptors: Sequence[str]) -> ScanInfo:
        try:
            return await self._rpc.call(ScanInfo, "scantxoutset", "start", descriptors, within_s=_SCAN_S)
        except NodeRefused as refusal:
            if refusal.reason.startswith(_SCANNING):
                raise GatewayUnavailable("scantxoutset: the node scans for somebody else; ask again") from refusal
            raise

    async def _transaction(self, txid: str) -> TransactionInfo | None:
        return await self._looked_up(TransactionInfo, txid, 1)

    async def _looked_up(self, kind: type[_T], txid: str, verbosity: int) -> _T | None:
        try:
            return await self._rpc.call(kind, "getrawtransaction", txid, verbosity)
        except NodeRefused as refusal:
            if refusal.number != _NOT_FOUND:
                raise
            if "index" in refusal.reason:
                raise GatewayUnavailable(f"transaction {txid}: the node cannot tell: {refusal.reason}") from refusal
            return None

    async def _has(self, txid: str, refusal: NodeRefused) -> bool:
        """Whether a refusal to take a transaction means that the node has it."""
        if refusal.number == _IN_UTXO_SET:
            return True
        if refusal.number == _REJECTED:
            return refusal.reason.split(",")[0] in _HAS_IT
        # Of a confirmed transaction whose outputs are spent the node says that its inputs are.
        return refusal.number == _VERIFY and await self.block_of(txid) is not None
