"""All checks in their order; the first refusal wins."""

from dataclasses import dataclass

from agent.signer.policy.approvals import one_proposes_and_others_approve
from agent.signer.policy.case import Case
from agent.signer.policy.coins import (
    coins_are_proven,
    coins_are_registered,
    inputs_are_distinct,
    inputs_are_native_segwit,
)
from agent.signer.policy.fee import fee_is_bounded
from agent.signer.policy.form import no_foreign_signatures, nothing_foreign, nothing_modifiable
from agent.signer.policy.locks import path_is_kept, sighash_covers_everything
from agent.signer.policy.outputs import change_is_own, destinations_are_listed, outputs_relay
from agent.signer.policy.proof import message_is_signed_and_nothing_moves, path_is_open
from shared.bitcoin.transaction import TxOut

PAYMENT = (
    nothing_modifiable,
    nothing_foreign,
    coins_are_proven,
    coins_are_registered,
    no_foreign_signatures,
    inputs_are_native_segwit,
    inputs_are_distinct,
    sighash_covers_everything,
    path_is_kept,
    change_is_own,
    destinations_are_listed,
    outputs_relay,
    fee_is_bounded,
    one_proposes_and_others_approve,
)

PROOF = (
    nothing_modifiable,
    nothing_foreign,
    coins_are_proven,
    coins_are_registered,
    no_foreign_signatures,
    inputs_are_native_segwit,
    sighash_covers_everything,
    path_is_open,
    message_is_signed_and_nothing_moves,
    one_proposes_and_others_approve,
)


@dataclass(frozen=True, slots=True)
class Permit:
    """What may be signed, once it is debited. The ledger holds the limits: it checks and debits in one transaction."""

    txid: str
    external_sat: int
    payments: tuple[TxOut, ...]
    fee_sat: int


def decide(case: Case) -> Permit:
    """`Denied` with the tag of the first check that refuses."""
    for check in PAYMENT if case.request.message is None else PROOF:
        check(case)
    return Permit(case.tx.txid, case.external_sat, case.payments, case.fee_sat)
