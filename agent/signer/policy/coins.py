"""The inputs: proven, of this contract, native segwit, each once."""

from agent.signer.policy.case import Case
from agent.signer.rule import INPUT_DUPLICATE, INPUT_NOT_NATIVE_SEGWIT
from shared.errors import Denied


def coins_are_proven(case: Case) -> None:
    """`input.unvouched` or `input.prevout-mismatch`."""
    _ = case.coins


def coins_are_registered(case: Case) -> None:
    """`input.unregistered`."""
    _ = case.places


def inputs_are_native_segwit(case: Case) -> None:
    """An empty scriptSig everywhere makes the txid final before anybody signs."""
    for index, (spent, claimed) in enumerate(zip(case.tx.inputs, case.psbt.inputs, strict=True)):
        if spent.script_sig or claimed.redeem_script:
            raise Denied(INPUT_NOT_NATIVE_SEGWIT, f"input {index} has a scriptSig or a redeem script")


def inputs_are_distinct(case: Case) -> None:
    outpoints = [each.outpoint for each in case.tx.inputs]
    if len(set(outpoints)) != len(outpoints):
        raise Denied(INPUT_DUPLICATE, "one outpoint is spent twice")
