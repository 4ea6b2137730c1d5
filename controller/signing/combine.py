"""From checked signatures to the final transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from controller.signing.approval import path_of
from controller.signing.ownership import derived_at, expressions, key_path_aggregate
from controller.signing.plan import is_musig
from controller.signing.ports import Contract
from controller.signing.progress import ProposalProgress
from shared.bitcoin.descriptor.derived import Derived, Leaf
from shared.bitcoin.miniscript import Assets, fill, satisfy
from shared.bitcoin.miniscript.script_tree import scripts_of
from shared.bitcoin.psbt.merge import merge
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput
from shared.bitcoin.psbt.value import MusigKey
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.transaction import Transaction, TxOut
from shared.errors import BitcoinMalformed
from shared.wire.contract import SpendingPath


def spent_outputs(base: bytes) -> list[TxOut]:
    """The output that each input spends, proven by its previous transaction."""
    spent = []
    for index, entry in enumerate(Psbt.parse(base, quick=True).inputs):
        if entry.spent is None:
            raise BitcoinMalformed(f"psbt input {index}: nothing vouches for its amount")
        spent.append(entry.spent)
    return spent


def path_leaf(path: SpendingPath, derived: Derived) -> Leaf | None:
    """The leaf by which the path spends; None for a wsh script and for the key path."""
    return None if path.leaf is None else derived.leaves[path.leaf]


def with_nonces(base: bytes, answers: Sequence[bytes]) -> bytes:
    """The base with the nonces of all answers: what the second round of MuSig2 signs."""
    given = [Psbt.parse(answer, quick=True) for answer in answers]
    return reduce(merge, given, Psbt.parse(base, quick=True)).raw


def completed(contract: Contract, path_name: str, base: bytes, progress: ProposalProgress) -> Transaction:
    """The transaction with the witnesses of this path; BitcoinMalformed where something is missing."""
    path = path_of(contract, path_name)
    psbt = Psbt.parse(base, quick=True)
    musig = is_musig(contract, path)
    answered = _partials(progress) if musig else [*progress.signatures.get(path_name, {}).values()]
    given = [Psbt.parse(answer, quick=True) for answer in answered]
    first = [Psbt.parse(answer, quick=True) for answer in progress.nonces.values()] if musig else []
    hasher = Sighasher(psbt.tx, spent_outputs(base))
    inputs = []
    for index, (entry, place) in enumerate(zip(psbt.tx.inputs, progress.proposal.places, strict=True)):
        derived = derived_at(contract, place)
        answers = [one.inputs[index] for one in given]
        if musig:
            nonces = [one.inputs[index] for one in first]
            witness: tuple[bytes, ...] = (_musig_signature(hasher.taproot(index), derived, nonces, answers),)
        else:
            locks = (entry.sequence, psbt.tx.lock_time)
            witness = _witness(contract, path, derived, answers, locks)
        inputs.append(replace(entry, witness=witness))
    return replace(psbt.tx, inputs=tuple(inputs))


def _partials(progress: ProposalProgress) -> list[bytes]:
    """Of the present round: a partial signature fits the nonces of its own round only."""
    return [] if progress.round is None else [answer.psbt for answer in progress.round.taken.values()]


def _witness(
    contract: Contract, path: SpendingPath, derived: Derived, answers: Sequence[PsbtInput], locks: tuple[int, int]
) -> tuple[bytes, ...]:
    """The smallest stack that the signatures allow, then script and control block. `locks`: sequence and lock time."""
    leaf = path_leaf(path, derived)
    if leaf is None and derived.witness_script is None:
        return _key_signature(answers)
    signatures = _signatures(answers, leaf)
    texts = {one.text: key for one, key in zip(expressions(contract), derived.keys, strict=True)}
    keys = {text: key if leaf is None else key[1:] for text, key in texts.items()}
    by_text = {text: signatures[key] for text, key in keys.items() if key in signatures}
    node = scripts_of(contract.terms.descriptor).scripts[path.leaf or 0].node
    items = satisfy(node, Assets(frozenset(by_text), frozenset(), *locks))
    if items is None:
        raise BitcoinMalformed(f"{len(by_text)} signatures do not satisfy path {path.name!r}")
    stack = fill(items, by_text, keys, {})
    return (*stack, leaf.script, leaf.control_block) if leaf is not None else (*stack, derived.witness_script or b"")


def _key_signature(answers: Sequence[PsbtInput]) -> tuple[bytes, ...]:
    for entry in answers:
        if entry.tap_key_signature is not None:
            return (entry.tap_key_signature,)
    raise BitcoinMalformed("nobody has signed the key path")


def _signatures(answers: Sequence[PsbtInput], leaf: Leaf | None) -> dict[bytes, bytes]:
    """By public key of a wsh script, by x-only key of a leaf."""
    if leaf is None:
        return {key: signature for entry in answers for key, signature in entry.partial_signatures.items()}
    return {
        key.key: signature
        for entry in answers
        for key, signature in entry.tap_script_signatures.items()
        if key.leaf_hash == leaf.leaf_hash
    }


def _musig_signature(
    digest: bytes, derived: Derived, nonces: Sequence[PsbtInput], answers: Sequence[PsbtInput]
) -> bytes:
    _, aggregate = key_path_aggregate(derived)
    by_key = _by_participant([entry.musig_nonces for entry in nonces])
    partials = _by_participant([entry.musig_partial_signatures for entry in answers])
    missing = [key for key in aggregate.public_keys if key not in by_key or key not in partials]
    if missing:
        raise BitcoinMalformed(f"MuSig2: nothing of participant {missing[0].hex()}")
    session = aggregate.session(digest, [by_key[key] for key in aggregate.public_keys])
    return session.combine([partials[key] for key in aggregate.public_keys])


def _by_participant(entries: Sequence[Mapping[MusigKey, bytes]]) -> dict[bytes, bytes]:
    return {key.participant: value for entry in entries for key, value in entry.items()}
