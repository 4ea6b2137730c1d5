"""Scripts of a transaction that asks for relay: judged by the consensus engine, then by what relay asks on top."""

from collections import OrderedDict
from collections.abc import Sequence

from hardware_sims.chain.refusal import TransactionRefused
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.transaction import Transaction, TxOut

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_REMEMBERED = 20_000
_DER_SIGNATURE_BYTES = range(9, 74)


class ScriptJudge:
    """Remembers what it found valid: an output is named by the hash of what it is, so the verdict never changes."""

    def __init__(self) -> None:
        self._valid: OrderedDict[str, None] = OrderedDict()

    def check(self, tx: Transaction, spent: Sequence[TxOut]) -> None:
        """`spent` in the order of inputs. TransactionRefused in Bitcoin Core's words; the engine names no opcode."""
        if tx.wtxid in self._valid:
            return
        index = failed_input(tx, spent)
        if index is not None:
            raise TransactionRefused("mandatory-script-verify-flag-failed (unknown error)", f"input {index}")
        _check_low_s(tx)
        self._valid[tx.wtxid] = None
        if len(self._valid) > _REMEMBERED:
            self._valid.popitem(last=False)


def _check_low_s(tx: Transaction) -> None:
    """BIP-146: consensus takes the other half of signatures too, relay does not."""
    for one in tx.inputs:
        for item in one.witness:
            if _is_high_s(item):
                reason = "Non-canonical signature: S value is unnecessarily high"
                raise TransactionRefused(f"non-mandatory-script-verify-flag ({reason})")


def _is_high_s(item: bytes) -> bool:
    """Whether an item has the form of a DER signature with its flag and an S above half the order."""
    if len(item) not in _DER_SIGNATURE_BYTES or item[0] != 0x30 or item[1] != len(item) - 3 or item[2] != 2:
        return False
    at = 4 + item[3]
    if at + 2 > len(item) or item[at] != 2 or at + 2 + item[at + 1] != len(item) - 1:
        return False
    return int.from_bytes(item[at + 2 : -1], "big") > _HALF_ORDER
