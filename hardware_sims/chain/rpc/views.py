"""Headers, blocks, transactions and mempool entries as JSON objects with Bitcoin Core's fields."""

from typing import Any

from hardware_sims.chain.chain import Placed
from hardware_sims.chain.coins import Coin
from hardware_sims.chain.mempool import Entry
from hardware_sims.chain.mining import REGTEST_BITS
from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.policy import is_coinbase
from hardware_sims.chain.rpc.amounts import btc
from hardware_sims.chain.script_type import script_type
from shared.bitcoin.address import address_of
from shared.bitcoin.block import Block
from shared.bitcoin.network import Network
from shared.bitcoin.transaction import Transaction

DIFFICULTY = 4.656542373906925e-10  # of the easiest target
_WORK_OF_BLOCK = 2


def chain_work(height: int) -> str:
    return f"{_WORK_OF_BLOCK * (height + 1):064x}"


def header(node: ChainNode, placed: Placed) -> dict[str, Any]:
    chain, head = node.chain, placed.block.header
    best = chain.is_best(placed)
    view = {
        "hash": head.hash,
        "confirmations": chain.height - placed.height + 1 if best else -1,
        "height": placed.height,
        "version": head.version,
        "versionHex": f"{head.version & 0xFFFFFFFF:08x}",
        "merkleroot": head.merkle_root[::-1].hex(),
        "time": head.time_s,
        "mediantime": chain.median_time_of(placed),
        "nonce": head.nonce,
        "bits": f"{REGTEST_BITS:08x}",
        "difficulty": DIFFICULTY,
        "chainwork": chain_work(placed.height),
        "nTx": len(placed.block.transactions),
    }
    if placed.height:
        view["previousblockhash"] = head.previous
    if best and placed.height < chain.height:
        view["nextblockhash"] = chain.hash_at(placed.height + 1)
    return view


def block(node: ChainNode, placed: Placed, *, with_transactions: bool) -> dict[str, Any]:
    made: Block = placed.block
    view = header(node, placed)
    view |= {"strippedsize": made.base_bytes, "size": len(made.raw), "weight": made.weight_wu}
    if not with_transactions:
        return view | {"tx": [tx.txid for tx in made.transactions]}
    fees = _fees(node, placed)
    return view | {
        "tx": [
            transaction(tx) | ({"fee": btc(fees[tx.txid])} if tx.txid in fees else {}) | {"hex": tx.raw.hex()}
            for tx in made.transactions
        ]
    }


def transaction(tx: Transaction) -> dict[str, Any]:
    return {
        "txid": tx.txid,
        "hash": tx.wtxid,
        "version": tx.version,
        "size": len(tx.raw),
        "vsize": tx.vsize_vb,
        "weight": tx.weight_wu,
        "locktime": tx.lock_time,
        "vin": _inputs(tx),
        "vout": [
            {"value": btc(output.amount_sat), "n": at, "scriptPubKey": script(output.script)}
            for at, output in enumerate(tx.outputs)
        ],
    }


def script(raw: bytes) -> dict[str, str]:
    view = {"hex": raw.hex(), "type": str(script_type(raw))}
    address = address_of(raw, Network.REGTEST)
    return view if address is None else view | {"address": address}


def coin(node: ChainNode, found: Coin) -> dict[str, Any]:
    """`gettxout`: a coin of the mempool has no confirmations."""
    return {
        "bestblock": node.chain.tip.block.hash,
        "confirmations": node.chain.height - found.height + 1,
        "value": btc(found.output.amount_sat),
        "scriptPubKey": script(found.output.script),
        "coinbase": found.coinbase,
    }


def entry(node: ChainNode, one: Entry) -> dict[str, Any]:
    mempool = node.mempool
    ancestors = [mempool[txid] for txid in mempool.ancestors([one.txid])]
    descendants = [mempool[txid] for txid in mempool.descendants([one.txid])]
    return {
        "vsize": one.vsize_vb,
        "weight": one.tx.weight_wu,
        "time": one.time_s,
        "height": one.height,
        "descendantcount": len(descendants),
        "descendantsize": sum(other.vsize_vb for other in descendants),
        "ancestorcount": len(ancestors),
        "ancestorsize": sum(other.vsize_vb for other in ancestors),
        "wtxid": one.tx.wtxid,
        "fees": {
            "base": btc(one.fee_sat),
            "modified": btc(one.fee_sat),
            "ancestor": btc(sum(other.fee_sat for other in ancestors)),
            "descendant": btc(sum(other.fee_sat for other in descendants)),
        },
        "depends": sorted(one.parents),
        "spentby": sorted(one.children),
        "bip125-replaceable": any(other.signals_replacement for other in ancestors),
        "unbroadcast": False,
    }


def _inputs(tx: Transaction) -> list[dict[str, Any]]:
    views: list[dict[str, Any]] = []
    for one in tx.inputs:
        if is_coinbase(tx):
            view: dict[str, Any] = {"coinbase": one.script_sig.hex()}
        else:
            view = {"txid": one.outpoint.txid, "vout": one.outpoint.vout, "scriptSig": {"hex": one.script_sig.hex()}}
        if one.witness:
            view["txinwitness"] = [item.hex() for item in one.witness]
        views.append(view | {"sequence": one.sequence})
    return views


def _fees(node: ChainNode, placed: Placed) -> dict[str, int]:
    """By txid, for a block of the best branch: beside it nobody keeps what was spent."""
    if not node.chain.is_best(placed) or not placed.height:
        return {}
    spent = iter(node.chain.coins.spent_by(placed.block))
    return {
        tx.txid: sum(next(spent)[1].output.amount_sat for _ in tx.inputs) - tx.output_sat
        for tx in placed.block.transactions[1:]
    }
