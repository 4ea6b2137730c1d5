"""One execution from bytes to a judged transaction. Pure; the first refusal wins."""

import msgspec

from controller.signing.approval import approver_of, path_of, role_for
from controller.signing.execution.base_form import Base, read_base
from controller.signing.execution.card import Card
from controller.signing.execution.model import Executed, Execution
from controller.signing.execution.partial import gathered
from controller.signing.execution.witness import completed, wrong_signatures
from controller.signing.fee import WITNESS_SCALE, transaction_wu
from controller.signing.proposer import proposer_of
from controller.signing.refusal import SigningRefusal
from controller.signing.spending import sequence_of
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.transaction import Transaction
from shared.errors import Denied
from shared.person import folded
from shared.wire.contract import Approval, SpendingPath

_VERSION = 2  # BIP-68: what gives relative locks their meaning


def executed(card: Card, execution: Execution, height: int) -> Executed:
    """Parse strictly, match, decide, build and judge; `Denied` by name otherwise."""
    contract = card.contract
    path = path_of(contract, execution.path)
    base = read_base(card, path, execution.base)
    _check_locks(path, base.tx, height)
    external_sat, fee_sat = _decided(card, path, base, height)
    proposer = _proposed_and_approved(card, path, base.tx.txid, execution, external_sat, height)
    signed = gathered(base, execution.partials)
    final = completed(contract, path, base, signed)
    _check_weight(card, final, fee_sat)
    if failed_input(final, base.spent) is not None:
        wrong = ", ".join(wrong_signatures(base, signed)) or "none of the signatures: the script is not fulfilled"
        raise Denied(SigningRefusal.ANSWER_SIGNATURE, f"the consensus engine refuses it; wrong: {wrong}")
    return Executed(
        final.txid,
        proposer,
        final.raw,
        tuple([(entry.outpoint.txid, entry.outpoint.vout) for entry in final.inputs]),
        external_sat,
        fee_sat,
        final.weight_wu,
        transaction_wu(len(final.inputs), contract.witness_wu[path.name], [output.script for output in final.outputs]),
        contract.policy.policy_version,
    )


def _check_locks(path: SpendingPath, tx: Transaction, height: int) -> None:
    """How old a coin is only a node knows; of the rest nothing may wait for a later block."""
    sequence = sequence_of(path)
    if tx.version != _VERSION or any(entry.sequence != sequence for entry in tx.inputs):
        raise Denied(SigningRefusal.UNKNOWN_PATH, f"version and sequences are not those of path {path.name!r}")
    opens = max(tx.lock_time, path.after_height or 0)
    if opens > height:
        raise Denied(SigningRefusal.IMMATURE, f"no block before height {opens + 1} may hold it; it is {height} now")


def _decided(card: Card, path: SpendingPath, base: Base, height: int) -> tuple[int, int]:
    """(external amount, fee) in satoshi, within what one transaction may; windows are asked by the service."""
    limits, external_sat = card.contract.policy.limits, 0
    for index, output in enumerate(base.tx.outputs):
        if output.script in card.change:
            continue
        if role_for(path) != "recovery":  # a recovery goes where its own people approve, as boxes have it
            _check_destination(card, output.script, index, height)
        external_sat += output.amount_sat
    fee_sat = sum(coin.spent.amount_sat for coin in base.coins) - base.tx.output_sat
    if not 0 <= fee_sat <= limits.fee_sat:
        raise Denied(SigningRefusal.FEE_LIMIT, f"a fee of {fee_sat} sat; 0 to {limits.fee_sat} are allowed")
    if external_sat + fee_sat > limits.per_tx_sat:
        detail = f"{external_sat + fee_sat} sat with the fee; one transaction may spend {limits.per_tx_sat}"
        raise Denied(SigningRefusal.TX_LIMIT, detail)
    return external_sat, fee_sat


def _check_destination(card: Card, script: bytes, index: int, height: int) -> None:
    ready = card.payable.get(script)
    if ready is None:
        raise Denied(SigningRefusal.UNLISTED, f"output {index} goes neither to the allow-list nor to change")
    if height < ready:
        raise Denied(SigningRefusal.COOLING, f"output {index} may be paid from block {ready} on; it is {height}")


def _proposed_and_approved(
    card: Card, path: SpendingPath, txid: str, execution: Execution, external_sat: int, height: int
) -> str:
    """Who proposed it, where enough others approved."""
    contract = card.contract
    subject = Approval(
        contract_id=contract.contract_id,
        network=contract.terms.network,
        policy_version=contract.policy.policy_version,
        txid=txid,
        external_sat=external_sat,
        expiry_height=execution.expiry_height,
        role=role_for(path),
        initiator="",
    )
    proposer = proposer_of(execution.proposal, subject, contract, height)
    wanted = msgspec.structs.replace(subject, initiator=proposer)
    persons = {folded(approver_of(sealed, wanted, contract, height).person) for sealed in execution.approvals}
    if len(persons) < contract.policy.approvals_needed:
        detail = f"{len(persons)} of {contract.policy.approvals_needed} persons approved {wanted.txid}"
        raise Denied(SigningRefusal.APPROVALS_MISSING, detail)
    return proposer


def _check_weight(card: Card, final: Transaction, fee_sat: int) -> None:
    limits, weight_wu = card.contract.policy.limits, final.weight_wu
    if weight_wu > limits.weight_wu:
        raise Denied(SigningRefusal.WEIGHT_LIMIT, f"{weight_wu} weight units; at most {limits.weight_wu}")
    if fee_sat * WITNESS_SCALE > limits.fee_rate_sat_vb * weight_wu:
        detail = f"{fee_sat} sat for {weight_wu} weight units; at most {limits.fee_rate_sat_vb} sat/vB"
        raise Denied(SigningRefusal.FEE_RATE_LIMIT, detail)
