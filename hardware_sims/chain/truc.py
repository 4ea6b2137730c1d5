"""Version 3 (BIP-431): at most one parent and one child that wait, both small, so that nobody can pin them."""

from hardware_sims.chain.mempool import Entry, Mempool
from hardware_sims.chain.refusal import TransactionRefused

VERSION = 3
_MOST_VB = 10_000
_MOST_CHILD_VB = 1_000
_MOST_KIN = 2  # with itself


def check_truc(new: Entry, conflicts: frozenset[str], mempool: Mempool, *, may_evict: bool) -> frozenset[str]:
    """`conflicts`, with the child of the same parent whose place `new` may take."""
    tx, name = new.tx, _named(new)
    parents = mempool.parents_of(tx)
    for txid in sorted(mempool.ancestors(parents), key=lambda one: bytes.fromhex(one)[::-1]):
        if (mempool[txid].tx.version == VERSION) != (tx.version == VERSION):
            kinds = ("", "non-") if tx.version == VERSION else ("non-", "")
            other = _named(mempool[txid])
            raise _refused(f"{kinds[0]}version=3 {name} cannot spend from {kinds[1]}version=3 {other}")
    if tx.version != VERSION:
        return conflicts
    if new.vsize_vb > _MOST_VB:
        raise _refused(f"version=3 {name} is too big: {new.vsize_vb} > {_MOST_VB} virtual bytes")
    if len(mempool.ancestors(parents)) + 1 > _MOST_KIN:
        raise _refused(f"{name} would have too many ancestors")
    if not parents:
        return conflicts
    if new.vsize_vb > _MOST_CHILD_VB:
        raise _refused(f"version=3 child {name} is too big: {new.vsize_vb} > {_MOST_CHILD_VB} virtual bytes")
    (parent,) = parents
    siblings = mempool[parent].children - conflicts
    if siblings and not (may_evict and len(mempool.descendants([parent])) == _MOST_KIN):
        raise _refused(f"{_named(mempool[parent])} would exceed descendant count limit")
    return conflicts | siblings


def _named(entry: Entry) -> str:
    return f"tx {entry.txid} (wtxid={entry.tx.wtxid})"


def _refused(detail: str) -> TransactionRefused:
    return TransactionRefused("TRUC-violation", detail)
