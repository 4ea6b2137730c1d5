"""Bitcoin Core's consensus engine (py-bitcoinkernel), asked whether inputs may be spent as they are.

The engine ends its whole process where it is asked wrongly, and it is asked here through its plain C calls, because
building the wheel's Python objects takes half as long as the verification. So every count is checked first, and money
is only ever judged in the child process of `shared.bitcoin.kernel`.

Judged are scripts, witnesses and signatures by all consensus flags. Amounts, double spends and maturity are the
caller's; so is policy (low S and the like), which consensus does not know.
"""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import pbk.capi.bindings as engine
from pbk.script import ScriptVerificationFlags

from shared.bitcoin.transaction import MAX_MONEY_SAT, Transaction, TxOut
from shared.errors import BitcoinDisagreement, BitcoinMalformed

_FLAGS: Final = int(ScriptVerificationFlags.ALL)
_NO_FAULT: Final = 0


def verify_input(transaction: Transaction, spent: Sequence[TxOut], index: int) -> bool:
    """Whether input `index` spends its output rightly; `spent` holds the output of each input in order."""
    if not 0 <= index < len(transaction.inputs):
        raise BitcoinMalformed(f"consensus: there is no input {index}, the transaction has {len(transaction.inputs)}")
    with _prepared(transaction, spent) as verify:
        return verify(index)


def failed_input(transaction: Transaction, spent: Sequence[TxOut]) -> int | None:
    """The first input that does not spend its output rightly, None where all do."""
    with _prepared(transaction, spent) as verify:
        return next((index for index in range(len(spent)) if not verify(index)), None)


class _Verify:
    """One transaction inside the engine; what its inputs have in common is computed once."""

    def __init__(self, transaction: Any, common: Any, scripts: list[Any], amounts_sat: list[int]) -> None:
        self._transaction = transaction
        self._common = common
        self._scripts = scripts
        self._amounts_sat = amounts_sat

    def __call__(self, index: int) -> bool:
        fault = ctypes.c_ubyte(_NO_FAULT)
        found = engine.btck_script_pubkey_verify(
            self._scripts[index],
            self._amounts_sat[index],
            self._transaction,
            self._common,
            index,
            _FLAGS,
            ctypes.byref(fault),
        )
        if fault.value != _NO_FAULT:
            raise BitcoinDisagreement(f"consensus: the engine was asked wrongly about input {index}")
        return bool(found)


@contextmanager
def _prepared(transaction: Transaction, spent: Sequence[TxOut]) -> Iterator[_Verify]:
    if len(spent) != len(transaction.inputs):
        raise BitcoinMalformed(f"consensus: {len(transaction.inputs)} inputs but {len(spent)} spent outputs")
    if any(not 0 <= output.amount_sat <= MAX_MONEY_SAT for output in spent):
        raise BitcoinMalformed("consensus: a spent amount is below zero or more than all coins")
    with ExitStack() as undo:
        raw = transaction.raw
        subject = _made(undo, engine.btck_transaction_create(raw, len(raw)), engine.btck_transaction_destroy)
        if engine.btck_transaction_count_inputs(subject) != len(spent):
            raise BitcoinDisagreement("consensus: the engine counts other inputs than we do")
        scripts = []
        outputs = []
        for output in spent:
            script = engine.btck_script_pubkey_create(output.script, len(output.script))
            scripts.append(_made(undo, script, engine.btck_script_pubkey_destroy))
            made = engine.btck_transaction_output_create(script, output.amount_sat)
            outputs.append(_made(undo, made, engine.btck_transaction_output_destroy))
        array = (ctypes.POINTER(engine.btck_TransactionOutput) * len(outputs))(*outputs)
        common = engine.btck_precomputed_transaction_data_create(subject, array, len(outputs))
        _made(undo, common, engine.btck_precomputed_transaction_data_destroy)
        yield _Verify(subject, common, scripts, [output.amount_sat for output in spent])


def _made(undo: ExitStack, made: Any, destroy: Any) -> Any:
    if not made:
        raise BitcoinDisagreement("consensus: the engine cannot read what we can")
    undo.callback(destroy, made)
    return made
