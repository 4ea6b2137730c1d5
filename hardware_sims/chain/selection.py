"""Which waiting transactions a block takes: those that pay most for their weight, each with what it depends on."""

from hardware_sims.chain.mempool import Entry, Mempool

_ROOM_WU = 3_996_000  # the rest is for header and coinbase
_MOST_SIGOP_COST = 80_000 - 400
_FLOOR_SAT_KVB = 1_000


def chosen(mempool: Mempool) -> tuple[Entry, ...]:
    """Parents before children. A child that pays for its parents brings them along."""
    taken: dict[str, Entry] = {}
    room_wu, sigops_left = _ROOM_WU, _MOST_SIGOP_COST
    for entry in sorted(mempool, key=lambda one: _package_rate(one, mempool), reverse=True):
        family = [mempool[txid] for txid in mempool.ancestors([entry.txid]) if txid not in taken]
        family.sort(key=lambda one: (len(mempool.ancestors([one.txid])), one.txid))
        weight_wu = sum(one.tx.weight_wu for one in family)
        cost = sum(one.sigop_cost for one in family)
        fee_sat, vsize_vb = sum(one.fee_sat for one in family), sum(one.vsize_vb for one in family)
        if weight_wu > room_wu or cost > sigops_left or fee_sat * 1_000 < _FLOOR_SAT_KVB * vsize_vb:
            continue
        room_wu -= weight_wu
        sigops_left -= cost
        taken.update((one.txid, one) for one in family)
    return tuple(taken.values())


def _package_rate(entry: Entry, mempool: Mempool) -> float:
    """What a transaction pays together with all that it depends on, or alone where that is less."""
    family = [mempool[txid] for txid in mempool.ancestors([entry.txid])]
    together = sum(one.fee_sat for one in family) / sum(one.vsize_vb for one in family)
    return min(together, entry.fee_sat / entry.vsize_vb)
