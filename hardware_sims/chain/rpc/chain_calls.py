"""Calls about blocks, coins and mining. Function and parameter names are the protocol's."""

from typing import Any

from hardware_sims.chain.coins import Coin
from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.refusal import BlockRefused
from hardware_sims.chain.rpc import views
from hardware_sims.chain.rpc.amounts import btc
from hardware_sims.chain.rpc.failure import Code, RpcFailure
from hardware_sims.chain.rpc.parsing import (
    a_block,
    a_hash,
    a_transaction,
    address_script,
    descriptor_script,
    known_block,
)
from shared.bitcoin.transaction import OutPoint, Transaction

_MOST_BLOCKS = 100_000


def getblockchaininfo(node: ChainNode) -> dict[str, Any]:
    tip = node.chain.tip
    return {
        "chain": "regtest",
        "blocks": tip.height,
        "headers": tip.height,
        "bestblockhash": tip.block.hash,
        "difficulty": views.DIFFICULTY,
        "time": tip.block.header.time_s,
        "mediantime": node.chain.median_time_of(tip),
        "verificationprogress": 1.0,
        "initialblockdownload": node.catching_up,
        "chainwork": views.chain_work(tip.height),
        "size_on_disk": 0,
        "pruned": False,
        "warnings": [],
    }


def getblockcount(node: ChainNode) -> int:
    return node.chain.height


def getbestblockhash(node: ChainNode) -> str:
    return node.chain.tip.block.hash


def getblockhash(node: ChainNode, height: int) -> str:
    if not 0 <= height <= node.chain.height:
        raise RpcFailure(Code.INVALID_PARAMETER, "Block height out of range")
    return node.chain.hash_at(height)


def getblockheader(node: ChainNode, blockhash: str, verbose: bool = True) -> dict[str, Any] | str:
    placed = known_block(node, blockhash)
    return views.header(node, placed) if verbose else placed.block.header.raw.hex()


def getblock(node: ChainNode, blockhash: str, verbosity: int | bool = 1) -> dict[str, Any] | str:
    placed = known_block(node, blockhash)
    if int(verbosity) <= 0:
        return placed.block.raw.hex()
    return views.block(node, placed, with_transactions=int(verbosity) > 1)


def gettxout(node: ChainNode, txid: str, n: int, include_mempool: bool = True) -> dict[str, Any] | None:
    found = node.coin(OutPoint(a_hash(txid, "txid"), n), with_mempool=include_mempool)
    return None if found is None else views.coin(node, found)


def scantxoutset(node: ChainNode, action: str, scanobjects: list[Any] | None = None) -> dict[str, Any] | bool | None:
    if action == "status":
        return None
    if action == "abort":
        return False
    if action != "start":
        raise RpcFailure(Code.INVALID_PARAMETER, f"Invalid action '{action}'")
    if scanobjects is None:
        raise RpcFailure(Code.MISC, "scanobjects argument is required for the start action")
    coins = node.chain.coins
    unspents, total_sat = [], 0
    for descriptor in dict.fromkeys(_descriptor(one) for one in scanobjects):
        for outpoint in sorted(coins.of_script(descriptor_script(descriptor)), key=str):
            found = coins.get(outpoint)
            if found is not None:
                total_sat += found.output.amount_sat
                unspents.append(_unspent(node, outpoint, found, descriptor))
    return {
        "success": True,
        "txouts": len(coins),
        "height": node.chain.height,
        "bestblock": node.chain.tip.block.hash,
        "unspents": unspents,
        "total_amount": btc(total_sat),
    }


def generatetoaddress(node: ChainNode, nblocks: int, address: str, maxtries: int = 1_000_000) -> tuple[str, ...]:  # noqa: ARG001
    script = address_script(address)
    return node.generate(min(max(nblocks, 0), _MOST_BLOCKS), script)


def generateblock(node: ChainNode, output: str, transactions: list[Any], submit: bool = True) -> dict[str, str]:
    if not submit:
        raise RpcFailure(Code.INVALID_PARAMETER, "submit=false is not simulated")
    script = descriptor_script(output) if "(" in output else address_script(output)
    try:
        return {"hash": node.generate_of(script, [_given(node, one) for one in transactions]).hash}
    except BlockRefused as refusal:
        raise RpcFailure(Code.VERIFY, f"TestBlockValidity failed: {refusal.reason}") from refusal


def submitblock(node: ChainNode, hexdata: str, dummy: str = "") -> str | None:  # noqa: ARG001
    """Null where the block was taken, a reason where it was not."""
    try:
        node.submit(a_block(hexdata))
    except BlockRefused as refusal:
        return refusal.reason
    return None


def invalidateblock(node: ChainNode, blockhash: str) -> None:
    placed = known_block(node, blockhash)
    try:
        node.invalidate(placed.block.hash)
    except BlockRefused as refusal:
        raise RpcFailure(Code.DATABASE, refusal.reason) from refusal


def reconsiderblock(node: ChainNode, blockhash: str) -> None:
    node.reconsider(known_block(node, blockhash).block.hash)


def _descriptor(given: Any) -> str:
    """A scan object is a descriptor or an object that holds one."""
    found = given.get("desc") if isinstance(given, dict) else given
    if not isinstance(found, str):
        raise RpcFailure(Code.INVALID_PARAMETER, "Scan object needs to be either a string or an object")
    return found


def _unspent(node: ChainNode, outpoint: OutPoint, found: Coin, descriptor: str) -> dict[str, Any]:
    return {
        "txid": outpoint.txid,
        "vout": outpoint.vout,
        "scriptPubKey": found.output.script.hex(),
        "desc": descriptor,
        "amount": btc(found.output.amount_sat),
        "coinbase": found.coinbase,
        "height": found.height,
        "blockhash": node.chain.hash_at(found.height),
        "confirmations": node.chain.height - found.height + 1,
    }


def _given(node: ChainNode, one: Any) -> Transaction:
    """A txid of the mempool or a whole transaction in hex."""
    waiting = node.mempool.get(one) if isinstance(one, str) else None
    if waiting is not None:
        return waiting.tx
    message = f"Transaction decode failed for {one}. Make sure the tx has at least one input."
    return a_transaction(str(one), message)
