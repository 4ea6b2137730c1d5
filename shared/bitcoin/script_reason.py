"""Why a script is not satisfied by the rules of relay, in Bitcoin Core's words: btclib's script engine.

Whether money may move is Bitcoin Core's own engine's to say (`consensus`), which gives no reason; this has the words.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from btclib.exceptions import BTClibException, ScriptError
from btclib.script.engine import verify_input
from btclib.script.engine.flags import ScriptFlag
from btclib.tx import Tx
from btclib.tx import TxOut as BtclibOut
from ecc.exceptions import EccException

from shared.bitcoin.transaction import Transaction, TxOut

_UNKNOWN: Final = "unknown error"
# STANDARD_SCRIPT_VERIFY_FLAGS of Bitcoin Core's src/policy/policy.h: all but one.
_RELAY: Final = ~ScriptFlag.SIGPUSHONLY


class ScriptReason(NamedTuple):
    input_index: int
    text: str


def script_reason(transaction: Transaction, spent: Sequence[TxOut]) -> ScriptReason | None:
    """The first input that is refused by the rules of relay, consensus included; None where all are satisfied.

    `spent` holds the output of each input in order.
    """
    tx = Tx.parse(transaction.raw)
    outputs = [BtclibOut(output.amount_sat, output.script, check_validity=False) for output in spent]
    for index in range(len(spent)):
        text = _refusal(outputs, tx, index)
        if text is not None:
            return ScriptReason(index, text)
    return None


def _refusal(outputs: list[BtclibOut], tx: Tx, index: int) -> str | None:
    try:
        verify_input(outputs, tx, index, _RELAY)
    except ScriptError as error:
        return error.code.description
    except (BTClibException, EccException):
        return _UNKNOWN
    return None
