"""The outputs: change is the contract's own, everything else goes to whom the owners named, and relays."""

from agent.signer.policy.case import Case
from agent.signer.rule import OUTPUT_COOLING, OUTPUT_COUNT, OUTPUT_DUST, OUTPUT_NONSTANDARD, OUTPUT_UNLISTED
from shared.bitcoin.script import ScriptKind, dust_sat, kind
from shared.errors import Denied

MOST_OUTPUTS = 2_000
_NONSTANDARD = frozenset({ScriptKind.OTHER, ScriptKind.OP_RETURN})


def change_is_own(case: Case) -> None:
    """`output.change-foreign`."""
    _ = case.payments


def destinations_are_listed(case: Case) -> None:
    for payment in case.payments:
        payable_from = case.accepted.payable_from.get(payment.script)
        if payable_from is None:
            raise Denied(
                OUTPUT_UNLISTED,
                f"{payment.amount_sat} sat go to {payment.script.hex()}, which is not on the allow-list",
            )
        if case.height < payable_from:
            raise Denied(
                OUTPUT_COOLING,
                f"script {payment.script.hex()} may be paid from height {payable_from}, it is {case.height}",
            )


def outputs_relay(case: Case) -> None:
    if not 1 <= len(case.tx.outputs) <= MOST_OUTPUTS:
        raise Denied(OUTPUT_COUNT, f"{len(case.tx.outputs)} outputs; 1 to {MOST_OUTPUTS} are signed")
    for index, output in enumerate(case.tx.outputs):
        if kind(output.script) in _NONSTANDARD:
            raise Denied(OUTPUT_NONSTANDARD, f"output {index} is of a form that is not paid: {output.script.hex()}")
        if output.amount_sat < dust_sat(output.script):
            raise Denied(
                OUTPUT_DUST, f"output {index} holds {output.amount_sat} sat, less than {dust_sat(output.script)}"
            )
