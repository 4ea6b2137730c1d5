"""Calls about several transactions at once. Function and parameter names are the protocol's."""

from collections.abc import Sequence
from typing import Any

from hardware_sims.chain.mempool import Entry
from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.package import MOST_IN_PACKAGE, Submitted, exceeds, form_fault, is_child_with_parents, submit
from hardware_sims.chain.refusal import InputsMissing, TransactionRefused
from hardware_sims.chain.rpc.amounts import btc, sat
from hardware_sims.chain.rpc.failure import Code, RpcFailure
from hardware_sims.chain.rpc.parsing import a_transaction
from hardware_sims.chain.script_type import script_type
from shared.bitcoin.transaction import Transaction

DEFAULT_MAX_RATE_BTC_KVB = 0.1
_NO_TREE = "package topology disallowed. not child-with-parents or parents depend on each other."


def testmempoolaccept(
    node: ChainNode,
    rawtxs: list[Any],
    maxfeerate: float | str = DEFAULT_MAX_RATE_BTC_KVB,  # noqa: PT028 - a call of the protocol, not a test
) -> list[dict[str, Any]]:
    transactions = _package(rawtxs)
    fault = form_fault(transactions) if len(transactions) > 1 else ""
    if fault:
        return [_named(tx) | {"package-error": fault} for tx in transactions]
    verdicts = node.test(transactions)
    return [_named(tx) | _verdict(verdicts.get(tx.wtxid), sat(maxfeerate)) for tx in transactions]


def submitpackage(
    node: ChainNode,
    package: list[Any],
    maxfeerate: float | str = DEFAULT_MAX_RATE_BTC_KVB,
    maxburnamount: float | str = 0,
) -> dict[str, Any]:
    """A child with its parents. A parent below the least rate enters where the child pays for both."""
    transactions = _package(package)
    for tx in transactions:
        check_burn(tx, maxburnamount)
    if len(transactions) > 1 and not is_child_with_parents(transactions):
        raise RpcFailure(Code.VERIFY, _NO_TREE)
    fault = form_fault(transactions)
    if fault:
        unseen = {tx.wtxid: {"txid": tx.txid, "error": "package-not-validated"} for tx in transactions}
        return {"package_msg": fault, "tx-results": unseen, "replaced-transactions": []}
    before = [one.txid for one in node.mempool]
    found = submit(node, transactions, sat(maxfeerate))
    refused = any(isinstance(one, TransactionRefused) for one in found.verdicts.values())
    return {
        "package_msg": "transaction failed" if refused else "success",
        "tx-results": {tx.wtxid: {"txid": tx.txid} | _outcome(found, tx) for tx in transactions},
        "replaced-transactions": [txid for txid in before if txid not in node.mempool],
    }


def check_burn(tx: Transaction, most: float | str) -> None:
    if any(script_type(one.script) == "nulldata" and one.amount_sat > sat(most) for one in tx.outputs):
        raise RpcFailure(Code.VERIFY, "Unspendable output exceeds maximum configured by user (maxburnamount)")


def _package(raws: list[Any]) -> list[Transaction]:
    if not 1 <= len(raws) <= MOST_IN_PACKAGE:
        raise RpcFailure(Code.INVALID_PARAMETER, f"Array must contain between 1 and {MOST_IN_PACKAGE} transactions.")
    return [
        a_transaction(str(one), f"TX decode failed: {one} Make sure the tx has at least one input.") for one in raws
    ]


def _named(tx: Transaction) -> dict[str, Any]:
    return {"txid": tx.txid, "wtxid": tx.wtxid}


def _verdict(verdict: Entry | TransactionRefused | None, max_rate_sat_kvb: int) -> dict[str, Any]:
    """Nothing of one that was not looked at."""
    if verdict is None:
        return {}
    if isinstance(verdict, InputsMissing):
        return {"allowed": False, "reject-reason": "missing-inputs"}
    if isinstance(verdict, TransactionRefused):
        return {"allowed": False, "reject-reason": verdict.reason}
    if exceeds(verdict, max_rate_sat_kvb):
        return {"allowed": False, "reject-reason": "max-fee-exceeded"}
    return {"allowed": True, "vsize": verdict.vsize_vb, "fees": _fees(verdict, [verdict])}


def _outcome(found: Submitted, tx: Transaction) -> dict[str, Any]:
    verdict = found.verdicts[tx.wtxid]
    if isinstance(verdict, TransactionRefused):
        return {"error": verdict.detail}
    if tx.wtxid not in found.entered:
        return {"vsize": verdict.vsize_vb, "fees": {"base": btc(verdict.fee_sat)}}
    company = found.together if verdict in found.together else (verdict,)
    return {"vsize": verdict.vsize_vb, "fees": _fees(verdict, company)}


def _fees(entry: Entry, company: Sequence[Entry]) -> dict[str, Any]:
    """`company` are those that pay one rate together."""
    rate_sat_kvb = sum(one.fee_sat for one in company) * 1_000 // sum(one.vsize_vb for one in company)
    return {
        "base": btc(entry.fee_sat),
        "effective-feerate": btc(rate_sat_kvb),
        "effective-includes": [one.tx.wtxid for one in company],
    }
