"""The way into the mempool, check by check in the order of Bitcoin Core 28 and with its words."""

from collections.abc import Sequence
from dataclasses import dataclass

from hardware_sims.chain.chain import Chain
from hardware_sims.chain.coins import Coin
from hardware_sims.chain.locks import is_final, relative_locks_met
from hardware_sims.chain.mempool import Entry, Mempool
from hardware_sims.chain.mining import MATURITY_BLOCKS
from hardware_sims.chain.policy import check_form, check_spending, check_standard
from hardware_sims.chain.refusal import InputsMissing, TransactionRefused
from hardware_sims.chain.replacement import check_replacement
from hardware_sims.chain.scripts import ScriptJudge
from shared.bitcoin.sigops import sigop_cost
from shared.bitcoin.transaction import OutPoint, Transaction

MIN_RELAY_SAT_KVB = 1_000
_MOST_SIGOP_COST = 16_000
_WU_OF_SIGOP = 20  # many signature operations make a transaction as large as they cost
_MOST_KIN = 25
_MOST_KIN_VB = 101_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """What would enter, and whom it would push out."""

    entry: Entry
    replaced: frozenset[str]


class Gate:
    def __init__(self, chain: Chain, mempool: Mempool, judge: ScriptJudge) -> None:
        self._chain = chain
        self._mempool = mempool
        self._judge = judge

    def check(self, tx: Transaction, now_s: int, *, returning: bool = False) -> Accepted:
        """TransactionRefused, InputsMissing where coins are unknown or spent. Changes nothing.

        `returning` is for a transaction that a block held or the mempool before: relay rules do not apply again.
        """
        check_form(tx)
        if not returning:
            check_standard(tx)
        if not is_final(tx, self._chain):
            raise TransactionRefused("non-final")
        self._check_unknown(tx)
        coins = self._coins_of(tx)
        entry = self._entry(tx, coins, now_s)
        conflicts = self._mempool.conflicts(tx)
        if returning and conflicts:
            raise TransactionRefused("txn-mempool-conflict")
        if not returning:
            check_spending(tx, entry.spent)
            _check_fee(entry)
            self._check_kin(entry, conflicts)
        replaced = check_replacement(entry, conflicts, self._mempool)
        self._judge.check(tx, entry.spent)
        return Accepted(entry, replaced)

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
            detail = f"value in ({_btc(in_sat)}) < value out ({_btc(out_sat)})"
            raise TransactionRefused("bad-txns-in-belowout", detail)
        cost = sigop_cost(tx, spent)
        if cost > _MOST_SIGOP_COST:
            raise TransactionRefused("bad-txns-too-many-sigops", str(cost))
        vsize_vb = -(-max(tx.weight_wu, cost * _WU_OF_SIGOP) // 4)
        return Entry(tx, spent, in_sat - out_sat, vsize_vb, cost, now_s, self._chain.height)

    def _check_kin(self, entry: Entry, conflicts: frozenset[str]) -> None:
        """No more than 25 transactions and 101 kvB in a row, with itself and without those that it replaces."""
        leaving = self._mempool.descendants(conflicts)
        ancestors = self._mempool.ancestors(self._mempool.parents_of(entry.tx))
        if len(ancestors) + 1 > _MOST_KIN:
            raise _too_long(f"too many unconfirmed ancestors [limit: {_MOST_KIN}]")
        if self._vsize(ancestors) + entry.vsize_vb > _MOST_KIN_VB:
            raise _too_long(f"exceeds ancestor size limit [limit: {_MOST_KIN_VB}]")
        for txid in sorted(ancestors):
            family = self._mempool.descendants([txid]) - leaving
            if len(family) + 1 > _MOST_KIN:
                raise _too_long(f"too many descendants for tx {txid} [limit: {_MOST_KIN}]")
            if self._vsize(family) + entry.vsize_vb > _MOST_KIN_VB:
                raise _too_long(f"exceeds descendant size limit for tx {txid} [limit: {_MOST_KIN_VB}]")

    def _vsize(self, txids: frozenset[str]) -> int:
        return sum(self._mempool[txid].vsize_vb for txid in txids)


def _check_fee(entry: Entry) -> None:
    floor_sat = MIN_RELAY_SAT_KVB * entry.vsize_vb // 1_000
    if entry.fee_sat < floor_sat:
        raise TransactionRefused("min relay fee not met", f"{entry.fee_sat} < {floor_sat}")


def _too_long(detail: str) -> TransactionRefused:
    return TransactionRefused("too-long-mempool-chain", detail)


def _btc(amount_sat: int) -> str:
    return f"{amount_sat // 100_000_000}.{amount_sat % 100_000_000:08d}"
