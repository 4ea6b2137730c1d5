"""Scripts of a transaction that asks for relay: judged by the consensus engine, then by what relay asks on top."""

from collections import OrderedDict
from collections.abc import Sequence

from hardware_sims.chain.refusal import TransactionRefused
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.script_reason import ScriptReason, script_reason
from shared.bitcoin.transaction import Transaction, TxOut

_REMEMBERED = 20_000


class ScriptJudge:
    """Remembers what it found valid: an output is named by the hash of what it is, so the verdict never changes."""

    def __init__(self) -> None:
        self._valid: OrderedDict[str, None] = OrderedDict()

    def check(self, tx: Transaction, spent: Sequence[TxOut]) -> None:
        """`spent` in the order of inputs. TransactionRefused with Bitcoin Core's words."""
        if tx.wtxid in self._valid:
            return
        index = failed_input(tx, spent)
        reason = script_reason(tx, spent)
        if reason is None and index is not None:
            reason = ScriptReason(index, "unknown error")
        if reason is not None:
            at = tx.inputs[reason.input_index].outpoint
            where = f"input {reason.input_index} of {tx.txid} (wtxid {tx.wtxid}), spending {at.txid}:{at.vout}"
            raise TransactionRefused(f"mempool-script-verify-flag-failed ({reason.text})", where)
        self._valid[tx.wtxid] = None
        if len(self._valid) > _REMEMBERED:
            self._valid.popitem(last=False)
