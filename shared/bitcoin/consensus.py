"""Bitcoin Core's consensus engine (py-bitcoinkernel), asked whether inputs may be spent as they are.

The engine ends its whole process where it is asked wrongly, and it is asked here through its plain C calls, because
building the wheel's Python objects takes half as long as the verification. So every count is checked first, and money
is only ever judged in the child process of `shared.bitcoin.kernel`.

Judged are scripts, witnesses and signatures by all consensus flags. Amounts, double spends and maturity are the
caller's; so is policy (low S and the like), which consensus does not know.
"""

import ctypes
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

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
    with _Case(transaction, spent) as case:
        return case.verify(index)


def failed_input(transaction: Transaction, spent: Sequence[TxOut]) -> int | None:
    """The first input that does not spend its output rightly, None where all do."""
    with _Case(transaction, spent) as case:
        return next((index for index in range(len(spent)) if not case.verify(index)), None)


class _Case:
    """One transaction inside the engine; what its inputs have in common is computed once."""

    def __init__(self, transaction: Transaction, spent: Sequence[TxOut]) -> None:
        if len(spent) != len(transaction.inputs):
            raise BitcoinMalformed(f"consensus: {len(transaction.inputs)} inputs but {len(spent)} spent outputs")
        if any(not 0 <= output.amount_sat <= MAX_MONEY_SAT for output in spent):
            raise BitcoinMalformed("consensus: a spent amount is below zero or more than all coins")
        self._raw = transaction.raw
        self._spent = spent
        self._undo: list[tuple[Any, Any]] = []

    def __enter__(self) -> Self:
        try:
            self._prepare()
        except BaseException:
            self._destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._destroy()

    def verify(self, index: int) -> bool:
        fault = ctypes.c_ubyte(_NO_FAULT)
        found = engine.btck_script_pubkey_verify(
            self._scripts[index],
            self._spent[index].amount_sat,
            self._transaction,
            self._common,
            index,
            _FLAGS,
            ctypes.byref(fault),
        )
        if fault.value != _NO_FAULT:
            raise BitcoinDisagreement(f"consensus: the engine was asked wrongly about input {index}")
        return bool(found)

    def _prepare(self) -> None:
        self._transaction = self._made(
            engine.btck_transaction_create(self._raw, len(self._raw)), engine.btck_transaction_destroy
        )
        if engine.btck_transaction_count_inputs(self._transaction) != len(self._spent):
            raise BitcoinDisagreement("consensus: the engine counts other inputs than we do")
        self._scripts = [
            self._made(
                engine.btck_script_pubkey_create(output.script, len(output.script)), engine.btck_script_pubkey_destroy
            )
            for output in self._spent
        ]
        outputs = [
            self._made(
                engine.btck_transaction_output_create(script, output.amount_sat), engine.btck_transaction_output_destroy
            )
            for script, output in zip(self._scripts, self._spent, strict=True)
        ]
        array = (ctypes.POINTER(engine.btck_TransactionOutput) * len(outputs))(*outputs)
        self._common = self._made(
            engine.btck_precomputed_transaction_data_create(self._transaction, array, len(outputs)),
            engine.btck_precomputed_transaction_data_destroy,
        )

    def _made(self, made: Any, destroy: Any) -> Any:
        if not made:
            raise BitcoinDisagreement("consensus: the engine cannot read what we can")
        self._undo.append((destroy, made))
        return made

    def _destroy(self) -> None:
        while self._undo:
            destroy, made = self._undo.pop()
            destroy(made)
