"""What a signer sends back, before anything of it is used.

It may hold signatures (or nonces) of its own keys by the path that was asked for, in every input, and nothing else that
is new; every one is verified against the hash that we compute from our own base. A signer that sends something else is
named by the refusal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.signing.approval import path_of
from controller.signing.combine import path_leaf, spent_outputs, with_nonces
from controller.signing.event import SpendingProposed
from controller.signing.model import Round
from controller.signing.ownership import derived_at, key_path_aggregate, keys_of_party
from controller.signing.plan import is_musig
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.bitcoin.descriptor.derived import Derived
from shared.bitcoin.psbt.build import to_v0
from shared.bitcoin.psbt.merge import merge
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput
from shared.bitcoin.sighash import SIGHASH_ALL, SIGHASH_DEFAULT, Sighasher
from shared.bitcoin.signature import verify_ecdsa, verify_schnorr
from shared.errors import BitcoinMalformed, ContractError, Denied
from shared.wire.contract import SpendingPath


def checked_additions(
    contract: Contract,
    proposal: SpendingProposed,
    path_name: str,
    party: str,
    kind: Round,
    answer: bytes,
    nonces: Mapping[str, bytes],
) -> bytes:
    """The base with this party's additions only; `Denied` by name where there is anything wrong with the answer.

    `nonces` are the first round's answers by party, for the second round of MuSig2.
    """
    path = path_of(contract, path_name)
    if party not in path.keys:
        raise Denied(SigningRefusal.ANSWER_FOREIGN, f"{party} has no key in path {path_name!r}")
    base = Psbt.parse(proposal.psbt, quick=True)
    try:
        given = to_v0(Psbt.parse(answer))  # our bases are of version 0, and some signers answer in version 2
    except ContractError as error:
        raise Denied(SigningRefusal.ANSWER_MALFORMED, str(error)) from error
    asked = Psbt.parse(with_nonces(proposal.psbt, list(nonces.values())), quick=True) if nonces else base
    try:
        merge(asked, given)
    except BitcoinMalformed as error:
        raise Denied(SigningRefusal.ANSWER_ALTERED, error.detail) from error
    spent = spent_outputs(proposal.psbt)
    hasher = Sighasher(base.tx, spent)
    additions = []
    for index, (entry, place) in enumerate(zip(given.inputs, proposal.places, strict=True)):
        derived = derived_at(contract, place)
        keys = keys_of_party(contract, party, derived)
        field, mine = _mine(contract, path, kind, entry, derived, keys)
        if not mine:
            raise Denied(SigningRefusal.ANSWER_EMPTY, f"nothing of {party} for input {index}")
        _verify(hasher, index, path, kind, derived, mine, asked.inputs[index])
        additions.append(replace(base.inputs[index], **{field: mine}))
    return replace(base, inputs=tuple(additions)).raw


def _mine(
    contract: Contract, path: SpendingPath, kind: Round, entry: PsbtInput, derived: Derived, keys: frozenset[bytes]
) -> tuple[str, Any]:
    """The field that this round fills, and of its content what belongs to the keys of the party."""
    if kind is Round.NONCE:
        return "musig_nonces", {key: nonce for key, nonce in entry.musig_nonces.items() if key.participant in keys}
    if kind is Round.PARTIAL:
        partials = entry.musig_partial_signatures
        return "musig_partial_signatures", {key: part for key, part in partials.items() if key.participant in keys}
    leaf = path_leaf(path, derived)
    if leaf is not None:
        xonly = {key[1:] for key in keys}
        signatures = entry.tap_script_signatures
        return "tap_script_signatures", {
            key: signature
            for key, signature in signatures.items()
            if key.key in xonly and key.leaf_hash == leaf.leaf_hash
        }
    if derived.internal_key is not None:
        return "tap_key_signature", None if is_musig(contract, path) else entry.tap_key_signature
    return "partial_signatures", {key: sig for key, sig in entry.partial_signatures.items() if key in keys}


def _verify(
    hasher: Sighasher, index: int, path: SpendingPath, kind: Round, derived: Derived, mine: Any, asked: PsbtInput
) -> None:
    """Denied where one of the party's own signatures is none."""
    if kind is Round.NONCE:
        good = len(mine) == 1
    elif kind is Round.PARTIAL:
        good = _partial_fits(hasher.taproot(index), derived, mine, asked)
    else:
        good = all(_signature_fits(hasher, index, path, derived, key, one) for key, one in _signatures(mine))
    if not good:
        raise Denied(SigningRefusal.ANSWER_SIGNATURE, f"a signature in input {index} is not one of this transaction")


def _signatures(mine: Any) -> Iterator[tuple[Any, bytes]]:
    return iter(mine.items()) if isinstance(mine, Mapping) else iter([(None, mine)])


def _signature_fits(
    hasher: Sighasher, index: int, path: SpendingPath, derived: Derived, key: Any, signature: bytes
) -> bool:
    if derived.witness_script is not None:
        digest = hasher.segwit_v0(index, derived.witness_script)
        return signature[-1] == SIGHASH_ALL and verify_ecdsa(key, digest, signature[:-1])
    leaf = path_leaf(path, derived)
    flag = signature[64] if len(signature) == 65 else SIGHASH_DEFAULT
    if flag not in (SIGHASH_DEFAULT, SIGHASH_ALL) or (len(signature) == 65 and flag == SIGHASH_DEFAULT):
        return False
    digest = hasher.taproot(index, flag, leaf.script if leaf is not None else None)
    xonly = key.key if leaf is not None else derived.script[2:]
    return verify_schnorr(xonly, digest, signature[:64])


def _partial_fits(digest: bytes, derived: Derived, mine: Any, asked: PsbtInput) -> bool:
    _, aggregate = key_path_aggregate(derived)
    by_key = {key.participant: nonce for key, nonce in asked.musig_nonces.items()}
    if len(mine) != 1 or any(key not in by_key for key in aggregate.public_keys):
        return False
    session = aggregate.session(digest, [by_key[key] for key in aggregate.public_keys])
    ((key, partial),) = mine.items()
    return session.verify(aggregate.public_keys.index(key.participant), partial)


def parties_of_file(contract: Contract, party: str) -> Sequence[SpendingPath]:
    """The paths that a party without a box may sign by file: those that take one round."""
    return [path for path in contract.terms.paths if party in path.keys and not is_musig(contract, path)]
