"""Calls about single transactions and the mempool. Function and parameter names are the protocol's."""

from typing import Any

from hardware_sims.chain.acceptance import MIN_RELAY_SAT_KVB
from hardware_sims.chain.chain import Placed
from hardware_sims.chain.mempool import Entry
from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.package import exceeds
from hardware_sims.chain.refusal import InputsMissing, TransactionRefused
from hardware_sims.chain.replacement import INCREMENTAL_SAT_KVB
from hardware_sims.chain.rpc import views
from hardware_sims.chain.rpc.amounts import btc, sat
from hardware_sims.chain.rpc.failure import Code, RpcFailure
from hardware_sims.chain.rpc.package_calls import DEFAULT_MAX_RATE_BTC_KVB, check_burn
from hardware_sims.chain.rpc.parsing import a_hash, a_transaction, known_block
from shared.bitcoin.transaction import OutPoint, Transaction

_MAX_MEMPOOL_BYTES = 300_000_000
_MOST_TARGET_BLOCKS = 1_008
_DECODE_FAILED = "TX decode failed. Make sure the tx has at least one input."
_TOO_HIGH = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"


def getrawtransaction(
    node: ChainNode, txid: str, verbosity: int | bool = 0, blockhash: str | None = None
) -> dict[str, Any] | str:
    wanted = a_hash(txid, "parameter 1")
    genesis = node.chain.at(0).block
    if wanted == genesis.transactions[0].txid:
        message = "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved"
        raise RpcFailure(Code.INVALID_ADDRESS_OR_KEY, message)
    placed = known_block(node, blockhash) if blockhash is not None else _block_of(node, wanted)
    candidates = placed.block.transactions if placed is not None else tuple(one.tx for one in _waiting(node, wanted))
    tx = next((one for one in candidates if one.txid == wanted), None)
    if tx is None:
        raise RpcFailure(Code.INVALID_ADDRESS_OR_KEY, _not_found(by_block=blockhash is not None))
    if int(verbosity) <= 0:
        return tx.raw.hex()
    view = views.transaction(tx) | {"hex": tx.raw.hex()}
    if placed is not None:
        if blockhash is not None:
            view["in_active_chain"] = node.chain.is_best(placed)
        view |= {"blockhash": placed.block.hash, "confirmations": 0}
        if node.chain.is_best(placed):
            time_s, depth = placed.block.header.time_s, node.chain.height - placed.height + 1
            view |= {"time": time_s, "blocktime": time_s, "confirmations": depth}
    return view


def decoderawtransaction(node: ChainNode, hexstring: str, iswitness: bool = True) -> dict[str, Any]:  # noqa: ARG001
    return views.transaction(a_transaction(hexstring, "TX decode failed"))


def getmempoolinfo(node: ChainNode) -> dict[str, Any]:
    entries = list(node.mempool)
    return {
        "loaded": True,
        "size": len(entries),
        "bytes": sum(one.vsize_vb for one in entries),
        "usage": sum(len(one.tx.raw) for one in entries),
        "total_fee": btc(sum(one.fee_sat for one in entries)),
        "maxmempool": _MAX_MEMPOOL_BYTES,
        "mempoolminfee": btc(MIN_RELAY_SAT_KVB),
        "minrelaytxfee": btc(MIN_RELAY_SAT_KVB),
        "incrementalrelayfee": btc(INCREMENTAL_SAT_KVB),
        "unbroadcastcount": 0,
        "fullrbf": True,
    }


def getrawmempool(node: ChainNode, verbose: bool = False, mempool_sequence: bool = False) -> dict[str, Any] | list[str]:
    if verbose:
        return {one.txid: views.entry(node, one) for one in node.mempool}
    txids = [one.txid for one in node.mempool]
    return {"txids": txids, "mempool_sequence": node.mempool.sequence} if mempool_sequence else txids


def getmempoolentry(node: ChainNode, txid: str) -> dict[str, Any]:
    found = node.mempool.get(a_hash(txid, "txid"))
    if found is None:
        raise RpcFailure(Code.INVALID_ADDRESS_OR_KEY, "Transaction not in mempool")
    return views.entry(node, found)


def gettxspendingprevout(node: ChainNode, outputs: list[Any]) -> list[dict[str, Any]]:
    """For each output `{txid, vout}`, who spends it in the mempool."""
    if not outputs:
        raise RpcFailure(Code.INVALID_PARAMETER, "Invalid parameter, outputs are missing")
    views_of: list[dict[str, Any]] = []
    for one in outputs:
        if not isinstance(one, dict) or not isinstance(one.get("txid"), str) or type(one.get("vout")) is not int:
            raise RpcFailure(Code.TYPE, "Invalid parameter, an output is an object of txid and vout")
        if one["vout"] < 0:
            raise RpcFailure(Code.INVALID_PARAMETER, "Invalid parameter, vout cannot be negative")
        outpoint = OutPoint(a_hash(one["txid"], "txid"), one["vout"])
        spender = node.mempool.spender(outpoint)
        view = {"txid": outpoint.txid, "vout": outpoint.vout}
        views_of.append(view if spender is None else view | {"spendingtxid": spender})
    return views_of


def sendrawtransaction(
    node: ChainNode,
    hexstring: str,
    maxfeerate: float | str = DEFAULT_MAX_RATE_BTC_KVB,
    maxburnamount: float | str = 0,
) -> str:
    tx = a_transaction(hexstring, _DECODE_FAILED)
    check_burn(tx, maxburnamount)
    if any(node.chain.coins.get(OutPoint(tx.txid, vout)) for vout in range(len(tx.outputs))):
        raise RpcFailure(Code.ALREADY_IN_UTXO_SET, "Transaction outputs already in utxo set")
    if tx.txid in node.mempool:
        return tx.txid
    try:
        _send(node, tx, sat(maxfeerate))
    except InputsMissing as refusal:
        raise RpcFailure(Code.VERIFY, refusal.detail) from refusal
    except TransactionRefused as refusal:
        raise RpcFailure(Code.VERIFY_REJECTED, refusal.detail) from refusal
    return tx.txid


def estimatesmartfee(node: ChainNode, conf_target: int, estimate_mode: str = "economical") -> dict[str, Any]:
    if not 1 <= conf_target <= _MOST_TARGET_BLOCKS:
        message = f"Invalid conf_target, must be between 1 and {_MOST_TARGET_BLOCKS}"
        raise RpcFailure(Code.INVALID_PARAMETER, message)
    if estimate_mode.lower() not in ("unset", "economical", "conservative"):
        message = 'Invalid estimate_mode parameter, must be one of: "unset", "economical", "conservative"'
        raise RpcFailure(Code.INVALID_PARAMETER, message)
    known = node.options.estimate_sat_vb
    if known is None:
        return {"errors": ["Insufficient data or no feerate found"], "blocks": conf_target}
    return {"feerate": btc(known * 1_000), "blocks": conf_target}


def _block_of(node: ChainNode, txid: str) -> Placed | None:
    """Of the best branch; for one that waits nowhere also the block that left it."""
    best = node.chain.block_of_tx(txid)
    return best if best is not None or txid in node.mempool else node.chain.last_block_of_tx(txid)


def _waiting(node: ChainNode, txid: str) -> tuple[Entry, ...]:
    found = node.mempool.get(txid)
    return () if found is None else (found,)


def _not_found(*, by_block: bool) -> str:
    what = "transaction found in the provided block" if by_block else "mempool or blockchain transaction"
    return f"No such {what}. Use gettransaction for wallet transactions."


def _send(node: ChainNode, tx: Transaction, max_rate_sat_kvb: int) -> None:
    if max_rate_sat_kvb:
        (verdict,) = node.test([tx]).values()
        if isinstance(verdict, TransactionRefused):
            raise verdict
        if exceeds(verdict, max_rate_sat_kvb):
            raise RpcFailure(Code.VERIFY, _TOO_HIGH)
    node.accept(tx)
