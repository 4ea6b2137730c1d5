"""The way into the mempool, check by check in the order of Bitcoin Core 29 and with its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hardware_sims.chain.chain import Chain
from hardware_sims.chain.coins import Coin
from hardware_sims.chain.locks import is_final, relative_locks_met
from hardware_sims.chain.mempool import Entry, Mempool
from hardware_sims.chain.mining import MATURITY_BLOCKS
from hardware_sims.chain.policy import check_dust, check_form, check_spending, check_standard, dust_outputs
from hardware_sims.chain.refusal import InputsMissing, TransactionRefused, money
from hardware_sims.chain.replacement import check_replacement
from hardware_sims.chain.scripts import ScriptJudge
from hardware_sims.chain.truc import VERSION, check_truc
from shared.bitcoin.sigops import sigop_cost
from shared.bitcoin.transaction import OutPoint, Transaction

MIN_RELAY_SAT_KVB = 1_000
_MOST_SIGOP_COST = 16_000
_WU_OF_SIGOP = 20  # many signature operations make a transaction as large as they cost
_MOST_KIN_VB = 101_000
_SMALL_VB = 10_000


class _Limits(NamedTuple):
    """How many wait in a row, the one that comes included."""

    ancestors: int
    descendants: int
    descendants_vb: int


_KIN = _Limits(25, 25, _MOST_KIN_VB)
_SMALL_CHILD = _Limits(2, 26, _MOST_KIN_VB + _SMALL_VB)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What would enter, and whom it would push out."""

    entry: Entry
    replaced: frozenset[str]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a transaction comes: `relayed` is under the rules of relay, `pays_alone` at the least rate by
    itself, as all do that are not of version 3.
    """

    relayed: bool = True
    may_replace: bool = True
    pays_alone: bool = True


ALONE = Terms()
IN_PACKAGE = Terms(may_replace=False, pays_alone=False)
RETURNING = Terms(relayed=False)  # a block held it, or the mempool before


class Gate:
    def __init__(self, chain: Chain, mempool: Mempool, judge: ScriptJudge) -> None:
        self._chain = chain
        self._mempool = mempool
        self._judge = judge

    def check(self, tx: Transaction, now_s: int, terms: Terms = ALONE) -> Accepted:
        """TransactionRefused, InputsMissing where coins are unknown or spent. Changes nothing; `judge` comes next."""
        check_form(tx)
        if terms.relayed:
            check_standard(tx)
        if not is_final(tx, self._chain):
            raise TransactionRefused("non-final")
        self._check_unknown(tx)
        conflicts = self._mempool.conflicts(tx)
        if conflicts and not terms.may_replace:
            raise TransactionRefused("bip125-replacement-disallowed")
        coins = self._coins_of(tx)
        entry = self._entry(tx, coins, now_s)
        if terms.relayed:
            check_spending(tx, entry.spent)
            check_dust(tx, entry.fee_sat)
            if terms.pays_alone or tx.version != VERSION:
                check_fee(entry.fee_sat, entry.vsize_vb)
        self._check_kin(entry, conflicts)
        if terms.relayed:
            conflicts = check_truc(entry, conflicts, self._mempool, may_evict=terms.may_replace)
            self._check_dust_is_spent(tx)
        return Accepted(entry, check_replacement(entry, conflicts, self._mempool))

    def judge(self, accepted: Accepted) -> None:
        """TransactionRefused where a script is not satisfied."""
        self._judge.check(accepted.entry.tx, accepted.entry.spent)

    def _check_dust_is_spent(self, tx: Transaction) -> None:
        """Dust of a parent that waits goes with its first child or not at all."""
        spent = {one.outpoint for one in tx.inputs}
        for txid in self._mempool.parents_of(tx):
            left = {OutPoint(txid, vout) for vout in dust_outputs(self._mempool[txid].tx)} - spent
            if left:
                detail = f"tx {tx.txid} (wtxid={tx.wtxid}) did not spend parent's ephemeral dust"
                raise TransactionRefused("missing-ephemeral-spends", detail)

    def _check_unknown(self, tx: Transaction) -> None:
        waiting = self._mempool.get(tx.txid)
        if waiting is not None:
            same = waiting.tx.wtxid == tx.wtxid
            raise TransactionRefused("txn-already-in-mempool" if same else "txn-same-nonwitness-data-in-mempool")

    def _coins_of(self, tx: Transaction) -> tuple[Coin, ...]:
        """The coins of every input, old enough to be spent."""
        found = [self._coin(one.outpoint) for one in tx.inputs]
        coins = tuple(coin for coin in found if coin is not None)
        if len(coins) != len(found):
            known = any(self._chain.coins.get(OutPoint(tx.txid, vout)) for vout in range(len(tx.outputs)))
            raise TransactionRefused("txn-already-known") if known else InputsMissing("bad-txns-inputs-missingorspent")
        if not relative_locks_met(tx, [coin.height for coin in coins], self._chain):
            raise TransactionRefused("non-BIP68-final")
        for coin in coins:
            age = self._chain.height + 1 - coin.height
            if coin.coinbase and age < MATURITY_BLOCKS:
                detail = f"tried to spend coinbase at depth {age}"
                raise TransactionRefused("bad-txns-premature-spend-of-coinbase", detail)
        return coins

    def _coin(self, outpoint: OutPoint) -> Coin | None:
        return self._mempool.coin(outpoint, self._chain.height + 1) or self._chain.coins.get(outpoint)

    def _entry(self, tx: Transaction, coins: Sequence[Coin], now_s: int) -> Entry:
        spent = tuple(coin.output for coin in coins)
        in_sat, out_sat = sum(output.amount_sat for output in spent), tx.output_sat
        if in_sat < out_sat:
            detail = f"value in ({money(in_sat)}) < value out ({money(out_sat)})"
            raise TransactionRefused("bad-txns-in-belowout", detail)
        cost = sigop_cost(tx, spent)
        if cost > _MOST_SIGOP_COST:
            raise TransactionRefused("bad-txns-too-many-sigops", str(cost))
        vsize_vb = -(-max(tx.weight_wu, cost * _WU_OF_SIGOP) // 4)
        return Entry(tx, spent, in_sat - out_sat, vsize_vb, cost, now_s, self._chain.height)

    def _check_kin(self, entry: Entry, conflicts: frozenset[str]) -> None:
        """With itself and without those that it replaces; a small child of one parent has one place more."""
        try:
            self._check_limits(entry, conflicts, _KIN)
        except TransactionRefused as refusal:
            if entry.vsize_vb > _SMALL_VB or entry.tx.version == VERSION:
                raise
            try:
                self._check_limits(entry, conflicts, _SMALL_CHILD)
            except TransactionRefused:
                raise refusal from None

    def _check_limits(self, entry: Entry, conflicts: frozenset[str], limits: _Limits) -> None:
        leaving = self._mempool.descendants(conflicts)
        ancestors = self._mempool.ancestors(self._mempool.parents_of(entry.tx))
        if len(ancestors) + 1 > limits.ancestors:
            raise _too_long(f"too many unconfirmed ancestors [limit: {limits.ancestors}]")
        if self._vsize(ancestors) + entry.vsize_vb > _MOST_KIN_VB:
            raise _too_long(f"exceeds ancestor size limit [limit: {_MOST_KIN_VB}]")
        for txid in sorted(ancestors):
            family = self._mempool.descendants([txid]) - leaving
            if len(family) + 1 > limits.descendants:
                raise _too_long(f"too many descendants for tx {txid} [limit: {limits.descendants}]")
            if self._vsize(family) + entry.vsize_vb > limits.descendants_vb:
                raise _too_long(f"exceeds descendant size limit for tx {txid} [limit: {limits.descendants_vb}]")

    def _vsize(self, txids: frozenset[str]) -> int:
        return sum(self._mempool[txid].vsize_vb for txid in txids)


def check_fee(fee_sat: int, vsize_vb: int) -> None:
    """Of a transaction or of several that come together."""
    floor_sat = MIN_RELAY_SAT_KVB * vsize_vb // 1_000
    if fee_sat < floor_sat:
        raise TransactionRefused("min relay fee not met", f"{fee_sat} < {floor_sat}")


def _too_long(detail: str) -> TransactionRefused:
    return TransactionRefused("too-long-mempool-chain", detail)
