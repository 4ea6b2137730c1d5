"""One execution from bytes to a judged transaction. Pure; the first refusal wins."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from controller.signing.approval import approver_of, path_of, role_for
from controller.signing.combine import path_leaf
from controller.signing.execution.card import Card
from controller.signing.execution.model import Executed, Execution
from controller.signing.execution.partial import Additions, Base
from controller.signing.fee import WITNESS_SCALE, transaction_wu
from controller.signing.ownership import key_path_aggregate
from controller.signing.plan import is_musig
from controller.signing.proposer import proposer_of
from controller.signing.refusal import SigningRefusal
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.descriptor.derived import Derived
from shared.bitcoin.miniscript import Assets, Item, fill, satisfy
from shared.bitcoin.miniscript.script_tree import scripts_of
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import verify_ecdsa
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from shared.errors import BitcoinMalformed, Denied
from shared.person import folded
from shared.wire.contract import Approval, SpendingPath


class Case(NamedTuple):
    """A base that was read and found to be of the contract; inputs with their derived scripts and proven outputs."""

    card: Card
    path: SpendingPath
    base: Psbt
    derived: tuple[Derived, ...]
    spent: tuple[TxOut, ...]


def executed(card: Card, execution: Execution, height: int) -> Executed:
    """Parse strictly, match, decide, build and judge; `Denied` or `BitcoinMalformed` by name otherwise."""
    case = _matched(card, execution)
    external_sat, fee_sat = _decided(case, height)
    proposer = _proposed_and_approved(case, execution, external_sat, height)
    base = Base(execution.base, len(case.base.inputs))
    added = [base.additions(partial) for partial in execution.partials]
    tx = case.base.tx
    inputs = tuple(
        TxIn(entry.outpoint, b"", entry.sequence, _witness(case, index, added, tx))
        for index, entry in enumerate(tx.inputs)
    )
    final = Transaction(tx.version, inputs, tx.outputs, tx.lock_time)
    _check_weight(case, final, fee_sat)
    if failed_input(final, case.spent) is not None:
        raise Denied(SigningRefusal.ANSWER_SIGNATURE, _blamed(case, added))
    return Executed(
        final.txid,
        proposer,
        final.raw,
        tuple((entry.outpoint.txid, entry.outpoint.vout) for entry in inputs),
        external_sat,
        fee_sat,
        final.weight_wu,
        transaction_wu(len(inputs), card.contract.witness_wu[execution.path], [output.script for output in tx.outputs]),
    )


def _matched(card: Card, execution: Execution) -> Case:
    path = path_of(card.contract, execution.path)
    base = Psbt.parse(execution.base, quick=True)
    derived, spent = [], []
    for index, entry in enumerate(base.inputs):
        if entry.spent is None:
            raise BitcoinMalformed(f"psbt input {index}: nothing vouches for its amount")
        place = card.places.get(entry.spent.script)
        if place is None or entry.witness_script != place.witness_script:
            raise Denied(SigningRefusal.FOREIGN_COIN, f"input {index} is no coin of {card.contract.terms.name}")
        derived.append(place)
        spent.append(entry.spent)
    older = path.older_blocks
    if base.tx.version != 2 or any(older is not None and entry.sequence != older for entry in base.tx.inputs):
        raise Denied(SigningRefusal.UNKNOWN_PATH, f"version and sequences are not those of path {path.name!r}")
    return Case(card, path, base, tuple(derived), tuple(spent))


def _decided(case: Case, height: int) -> tuple[int, int]:
    """(external amount, fee) in satoshi, within what one transaction may; windows are asked by the service."""
    limits, external_sat = case.card.contract.policy.limits, 0
    for index, output in enumerate(case.base.tx.outputs):
        place = case.card.places.get(output.script)
        if place is not None and place.branch == case.card.change_branch:
            continue
        ready = case.card.payable.get(output.script)
        if ready is None:
            raise Denied(SigningRefusal.UNLISTED, f"output {index} goes neither to the allow-list nor to change")
        if height < ready:
            raise Denied(SigningRefusal.COOLING, f"output {index} may be paid from block {ready} on; it is {height}")
        external_sat += output.amount_sat
    fee_sat = sum(output.amount_sat for output in case.spent) - case.base.tx.output_sat
    if not 0 <= fee_sat <= limits.fee_sat:
        raise Denied(SigningRefusal.FEE_LIMIT, f"a fee of {fee_sat} sat; 0 to {limits.fee_sat} are allowed")
    if external_sat + fee_sat > limits.per_tx_sat:
        detail = f"{external_sat + fee_sat} sat with the fee; one transaction may spend {limits.per_tx_sat}"
        raise Denied(SigningRefusal.TX_LIMIT, detail)
    return external_sat, fee_sat


def _proposed_and_approved(case: Case, execution: Execution, external_sat: int, height: int) -> str:
    """Who proposed it, where enough others approved."""
    contract = case.card.contract
    subject = Approval(
        contract_id=contract.contract_id,
        network=contract.terms.network,
        policy_version=contract.policy.policy_version,
        txid=case.base.tx.txid,
        external_sat=external_sat,
        expiry_height=execution.expiry_height,
        role=role_for(case.path),
        initiator="",
    )
    proposer = proposer_of(execution.proposal, subject, contract, height)
    wanted = msgspec.structs.replace(subject, initiator=proposer)
    persons = {folded(approver_of(sealed, wanted, contract, height).person) for sealed in execution.approvals}
    if len(persons) < contract.policy.approvals_needed:
        detail = f"{len(persons)} of {contract.policy.approvals_needed} persons approved {wanted.txid}"
        raise Denied(SigningRefusal.APPROVALS_MISSING, detail)
    return proposer


def _check_weight(case: Case, final: Transaction, fee_sat: int) -> None:
    limits, weight_wu = case.card.contract.policy.limits, final.weight_wu
    if weight_wu > limits.weight_wu:
        raise Denied(SigningRefusal.WEIGHT_LIMIT, f"{weight_wu} weight units; at most {limits.weight_wu}")
    if fee_sat * WITNESS_SCALE > limits.fee_rate_sat_vb * weight_wu:
        detail = f"{fee_sat} sat for {weight_wu} weight units; at most {limits.fee_rate_sat_vb} sat/vB"
        raise Denied(SigningRefusal.FEE_RATE_LIMIT, detail)


def _witness(case: Case, index: int, added: Sequence[Additions], tx: Transaction) -> tuple[bytes, ...]:
    derived = case.derived[index]
    if is_musig(case.card.contract, case.path):
        return (_musig_signature(case, index, added),)
    leaf = path_leaf(case.path, derived)
    if leaf is not None or derived.witness_script is None:
        raise Denied(SigningRefusal.UNKNOWN_PATH, "many at once are executed by wsh() scripts and MuSig2 key paths")
    signatures = {key: value for one in added for key, value in one.signatures[index].items()}
    by_text = {
        text: signatures[key] for text, key in zip(case.card.texts, derived.keys, strict=True) if key in signatures
    }
    locks = (tx.inputs[index].sequence, tx.lock_time)
    items = _stack(case.card.contract.terms.descriptor, frozenset(by_text), *locks)
    if items is None:
        raise BitcoinMalformed(f"{len(by_text)} signatures do not satisfy path {case.path.name!r}")
    stack = fill(items, by_text, dict(zip(case.card.texts, derived.keys, strict=True)), {})
    return (*stack, derived.witness_script)


@lru_cache(maxsize=4_096)
def _stack(descriptor: str, texts: frozenset[str], sequence: int, lock_time: int) -> tuple[Item, ...] | None:
    """The form of the witness, which is the same at every index."""
    return satisfy(scripts_of(descriptor).scripts[0].node, Assets(texts, frozenset(), sequence, lock_time))


def _musig_signature(case: Case, index: int, added: Sequence[Additions]) -> bytes:
    _, aggregate = key_path_aggregate(case.derived[index])
    nonces = {key.participant: nonce for key, nonce in case.base.inputs[index].musig_nonces.items()}
    partials = {key: value for one in added for key, value in one.partials[index].items()}
    missing = [key for key in aggregate.public_keys if key not in nonces or key not in partials]
    if missing:
        raise BitcoinMalformed(f"MuSig2: nothing of participant {missing[0].hex()}")
    digest = Sighasher(case.base.tx, case.spent).taproot(index)
    session = aggregate.session(digest, [nonces[key] for key in aggregate.public_keys])
    return session.combine([partials[key] for key in aggregate.public_keys])


def _blamed(case: Case, added: Sequence[Additions]) -> str:
    """Which of the partials is wrong: asked one by one, only when the whole was."""
    hasher = Sighasher(case.base.tx, case.spent)
    wrong = [place for place, one in enumerate(added) if not _fits(case, hasher, one)]
    return (
        f"the consensus engine refuses it; wrong are the partials {wrong}" if wrong else "the script is not fulfilled"
    )


def _fits(case: Case, hasher: Sighasher, one: Additions) -> bool:
    for index, derived in enumerate(case.derived):
        if derived.witness_script is not None:
            digest = hasher.segwit_v0(index, derived.witness_script)
            if not all(verify_ecdsa(key, digest, value[:-1]) for key, value in one.signatures[index].items()):
                return False
            continue
        _, aggregate = key_path_aggregate(derived)
        nonces = {key.participant: nonce for key, nonce in case.base.inputs[index].musig_nonces.items()}
        session = aggregate.session(hasher.taproot(index), [nonces[key] for key in aggregate.public_keys])
        places = {key: place for place, key in enumerate(aggregate.public_keys)}
        if not all(session.verify(places[key], value) for key, value in one.partials[index].items() if key in places):
            return False
    return True
