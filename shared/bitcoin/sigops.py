"""Signature operations, the second budget of a block beside weight (BIP-141)."""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from shared.bitcoin.script import MAX_KEYS_OF_MULTISIG, Op, ScriptKind, kind, steps, witness_program
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from shared.errors import BitcoinMalformed

_WITNESS_SCALE: Final = 4
_ONE: Final = frozenset((Op.CHECKSIG, Op.CHECKSIGVERIFY))
_MANY: Final = frozenset((Op.CHECKMULTISIG, Op.CHECKMULTISIGVERIFY))


def sigops(script: bytes, *, exact: bool = True) -> int:
    """Signature operations of a script; `exact` reads the number of keys before a CHECKMULTISIG, else it counts 20.

    A push that runs over the end stops the count, as in Bitcoin Core.
    """
    count = 0
    before = 0
    try:
        for step in steps(script):
            if step.opcode in _ONE:
                count += 1
            elif step.opcode in _MANY:
                known = exact and Op.ONE <= before <= Op.SIXTEEN
                count += before - Op.ONE + 1 if known else MAX_KEYS_OF_MULTISIG
            before = step.opcode
    except BitcoinMalformed:
        return count
    return count


def sigop_cost(transaction: Transaction, spent: Sequence[TxOut]) -> int:
    """What the transaction takes of a block's 80,000 (Bitcoin Core's GetTransactionSigOpCost).

    `spent` holds the output of each input in order.
    """
    bare = chain((entry.script_sig for entry in transaction.inputs), (output.script for output in transaction.outputs))
    cost = _WITNESS_SCALE * sum(sigops(script, exact=False) for script in bare)
    for entry, output in zip(transaction.inputs, spent, strict=True):
        program = output.script
        if kind(program) is ScriptKind.P2SH:
            program = _last_push(entry.script_sig)
            cost += _WITNESS_SCALE * sigops(program)
        cost += _witness_sigops(entry, program)
    return cost


def _witness_sigops(entry: TxIn, program: bytes) -> int:
    found = witness_program(program)
    if found is None or found[0] != 0:
        return 0  # Taproot has a budget per input instead (BIP-342)
    if len(found[1]) == 20:
        return 1
    return sigops(entry.witness[-1]) if entry.witness else 0


def _last_push(script: bytes) -> bytes:
    last = b""
    try:
        for step in steps(script):
            if step.data is None:
                return b""
            last = step.data
    except BitcoinMalformed:
        return b""
    return last
