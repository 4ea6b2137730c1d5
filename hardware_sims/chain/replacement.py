"""When a transaction may push out those that spend the same coins (full RBF; BIP-125 rules 2 to 5 as of Core 28)."""

from hardware_sims.chain.mempool import Entry, Mempool
from hardware_sims.chain.refusal import TransactionRefused, money

INCREMENTAL_SAT_KVB = 1_000
_MOST_REPLACED = 100


def check_replacement(new: Entry, conflicts: frozenset[str], mempool: Mempool) -> frozenset[str]:
    """All that would leave the mempool. `conflicts` spend a coin that `new` spends as well."""
    if not conflicts:
        return frozenset()
    ancestors = mempool.ancestors(mempool.parents_of(new.tx))
    for txid in conflicts & ancestors:
        raise TransactionRefused("bad-txns-spends-conflicting-tx", f"{new.txid} spends conflicting transaction {txid}")
    _check_fee_rate(new, conflicts, mempool)
    leaving = mempool.descendants(conflicts)
    if len(leaving) > _MOST_REPLACED:
        detail = (
            f"rejecting replacement {new.txid}; too many potential replacements ({len(leaving)} > {_MOST_REPLACED})"
        )
        raise TransactionRefused("too many potential replacements", detail)
    _check_no_new_unconfirmed(new, conflicts, mempool)
    _check_fee(new, leaving, mempool)
    return leaving


def _check_fee_rate(new: Entry, conflicts: frozenset[str], mempool: Mempool) -> None:
    for txid in sorted(conflicts):
        old = mempool[txid]
        if new.fee_sat * old.vsize_vb <= old.fee_sat * new.vsize_vb:
            rates = f"new feerate {_rate(new)} <= old feerate {_rate(old)}"
            raise TransactionRefused("insufficient fee", f"rejecting replacement {new.txid}; {rates}")


def _check_no_new_unconfirmed(new: Entry, conflicts: frozenset[str], mempool: Mempool) -> None:
    known = {txid for conflict in conflicts for txid in mempool[conflict].parents}
    for index, one in enumerate(new.tx.inputs):
        if one.outpoint.txid in mempool and one.outpoint.txid not in known:
            detail = f"replacement {new.txid} adds unconfirmed input, idx {index}"
            raise TransactionRefused("replacement-adds-unconfirmed", detail)


def _check_fee(new: Entry, leaving: frozenset[str], mempool: Mempool) -> None:
    old_sat = sum(mempool[txid].fee_sat for txid in leaving)
    if new.fee_sat < old_sat:
        detail = (
            f"rejecting replacement {new.txid}, less fees than conflicting txs; {money(new.fee_sat)} < {money(old_sat)}"
        )
        raise TransactionRefused("insufficient fee", detail)
    more_sat, relay_sat = new.fee_sat - old_sat, INCREMENTAL_SAT_KVB * new.vsize_vb // 1_000
    if more_sat < relay_sat:
        fees = f"{money(more_sat)} < {money(relay_sat)}"
        raise TransactionRefused(
            "insufficient fee", f"rejecting replacement {new.txid}, not enough additional fees to relay; {fees}"
        )


def _rate(entry: Entry) -> str:
    rate_sat_kvb = entry.fee_sat * 1_000 // entry.vsize_vb
    return f"{rate_sat_kvb // 100_000_000}.{rate_sat_kvb % 100_000_000:08d} BTC/kvB"
