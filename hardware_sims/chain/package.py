"""Transactions that are sent together: their form, and how a child brings parents along that pay too little alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from hardware_sims.chain.mempool import Entry
from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.refusal import InputsMissing, PackageRefused, TransactionRefused
from hardware_sims.chain.truc import VERSION
from shared.bitcoin.transaction import Transaction

MOST_IN_PACKAGE = 25
_MOST_WU = 404_000
_BELOW_FLOOR = "min relay fee not met"


def form_fault(transactions: Sequence[Transaction]) -> str:
    """Bitcoin Core's word for what is wrong with them as a package, or nothing."""
    if sum(tx.weight_wu for tx in transactions) > _MOST_WU:
        return "package-too-large"
    txids = [tx.txid for tx in transactions]
    if len(set(txids)) != len(txids):
        return "package-contains-duplicates"
    for at, tx in enumerate(transactions):
        if any(one.outpoint.txid in txids[at:] for one in tx.inputs):
            return "package-not-sorted"
    spent = [outpoint for tx in transactions for outpoint in {one.outpoint for one in tx.inputs}]
    return "conflict-in-package" if len(set(spent)) != len(spent) else ""


def is_child_with_parents(transactions: Sequence[Transaction]) -> bool:
    """The last one spends from each before it, and these not from one another."""
    *parents, child = transactions
    txids = {tx.txid for tx in parents}
    spends = {one.outpoint.txid for one in child.inputs}
    return txids <= spends and not any(one.outpoint.txid in txids for tx in parents for one in tx.inputs)


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of each, by wtxid; `entered` are the wtxids of those that came in, `together` of those that only
    came in with one another.
    """

    verdicts: dict[str, Entry | TransactionRefused]
    entered: frozenset[str]
    together: tuple[Entry, ...] = ()


def submit(node: ChainNode, transactions: Sequence[Transaction], max_rate_sat_kvb: int) -> Submitted:
    """Each alone first, then those together that only lack fee or a parent. A greatest rate of 0 sets no limit."""
    verdicts: dict[str, Entry | TransactionRefused] = {}
    entered: set[str] = set()
    left: list[Transaction] = []
    for tx in transactions:
        waiting = node.mempool.get(tx.txid)
        try:
            verdicts[tx.wtxid] = waiting or _accepted(node, tx, max_rate_sat_kvb)
        except TransactionRefused as refusal:
            verdicts[tx.wtxid] = refusal
            left.append(tx)
        else:
            entered |= set() if waiting else {tx.wtxid}
    if len(left) < 2 or not all(_is_open(tx, verdicts[tx.wtxid]) for tx in left):
        return Submitted(verdicts, frozenset(entered))
    try:
        together = node.accept_together(left)
    except PackageRefused as refusal:
        return Submitted(verdicts | {refusal.wtxid: refusal.refusal}, frozenset(entered))
    verdicts |= {entry.tx.wtxid: entry for entry in together}
    return Submitted(verdicts, frozenset(entered | {entry.tx.wtxid for entry in together}), together)


def exceeds(entry: Entry, max_rate_sat_kvb: int) -> bool:
    """A rate of 0 sets no limit."""
    return bool(max_rate_sat_kvb) and entry.fee_sat > max_rate_sat_kvb * entry.vsize_vb // 1_000


def _accepted(node: ChainNode, tx: Transaction, max_rate_sat_kvb: int) -> Entry:
    (verdict,) = node.test([tx]).values()
    if isinstance(verdict, Entry) and exceeds(verdict, max_rate_sat_kvb):
        raise TransactionRefused("max feerate exceeded")
    return node.accept(tx)


def _is_open(tx: Transaction, verdict: Entry | TransactionRefused) -> bool:
    """Whether company may help: below the least rate of relay only where it is of version 3 (BIP-431)."""
    if isinstance(verdict, InputsMissing):
        return True
    return isinstance(verdict, TransactionRefused) and tx.version == VERSION and verdict.reason == _BELOW_FLOOR
