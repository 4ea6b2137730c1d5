"""Transactions that wait for a block, and who spends whom."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hardware_sims.chain.coins import Coin
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut

_MAX_REPLACEABLE_SEQUENCE = 0xFFFFFFFD


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """`height` is that of the chain when it came; parents and children are those in the mempool."""

    tx: Transaction
    spent: tuple[TxOut, ...]
    fee_sat: int
    vsize_vb: int
    sigop_cost: int
    time_s: int
    height: int
    parents: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)

    @property
    def txid(self) -> str:
        return self.tx.txid

    @property
    def signals_replacement(self) -> bool:
        """BIP-125, of the transaction itself."""
        return any(one.sequence <= _MAX_REPLACEABLE_SEQUENCE for one in self.tx.inputs)


class Mempool:
    """Iterates in the order of arrival, which puts parents before children."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._spender: dict[OutPoint, str] = {}
        self.sequence = 1

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def __contains__(self, txid: str) -> bool:
        return txid in self._entries

    def __getitem__(self, txid: str) -> Entry:
        return self._entries[txid]

    def get(self, txid: str) -> Entry | None:
        return self._entries.get(txid)

    def spender(self, outpoint: OutPoint) -> str | None:
        """Who spends an output."""
        return self._spender.get(outpoint)

    def coin(self, outpoint: OutPoint, next_height: int) -> Coin | None:
        """An output that a waiting transaction makes, spent or not."""
        entry = self._entries.get(outpoint.txid)
        if entry is None or outpoint.vout >= len(entry.tx.outputs):
            return None
        return Coin(entry.tx.outputs[outpoint.vout], next_height, coinbase=False)

    def conflicts(self, tx: Transaction) -> frozenset[str]:
        """Who spends what `tx` would spend."""
        return frozenset(self._spender[one.outpoint] for one in tx.inputs if one.outpoint in self._spender)

    def parents_of(self, tx: Transaction) -> frozenset[str]:
        return frozenset(one.outpoint.txid for one in tx.inputs if one.outpoint.txid in self._entries)

    def ancestors(self, of: Iterable[str]) -> frozenset[str]:
        """`of` and all that they depend on."""
        return self._closure(of, lambda entry: entry.parents)

    def descendants(self, of: Iterable[str]) -> frozenset[str]:
        """`of` and all that depend on them."""
        return self._closure(of, lambda entry: entry.children)

    def add(self, entry: Entry) -> None:
        self._entries[entry.txid] = entry
        self.sequence += 1
        for one in entry.tx.inputs:
            self._spender[one.outpoint] = entry.txid
        entry.parents.update(self.parents_of(entry.tx))
        for parent in entry.parents:
            self._entries[parent].children.add(entry.txid)

    def remove(self, txids: Iterable[str]) -> tuple[Entry, ...]:
        """Take entries out; whoever depends on them must be among them or find them in the chain."""
        removed = []
        for txid in txids:
            entry = self._entries.pop(txid, None)
            if entry is None:
                continue
            removed.append(entry)
            self.sequence += 1
            for one in entry.tx.inputs:
                self._spender.pop(one.outpoint, None)
            for other in entry.parents | entry.children:
                if (kin := self._entries.get(other)) is not None:
                    kin.parents.discard(txid)
                    kin.children.discard(txid)
        return tuple(removed)

    def _closure(self, of: Iterable[str], kin: Callable[[Entry], set[str]]) -> frozenset[str]:
        found: set[str] = set()
        waiting = [txid for txid in of if txid in self._entries]
        while waiting:
            txid = waiting.pop()
            if txid not in found:
                found.add(txid)
                waiting += kin(self._entries[txid])
        return frozenset(found)
