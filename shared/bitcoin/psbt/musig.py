"""MuSig2 sessions whose partial signatures a PSBT holds: which key they sign under, and their sum (BIP-373)."""

from collections.abc import Iterator
from dataclasses import replace

from shared.bitcoin.descriptor.aggregate import output_key, script_key
from shared.bitcoin.hashes import hash160
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.musig import KeyAggregate, Session
from shared.bitcoin.psbt.psbt import PsbtInput
from shared.bitcoin.psbt.value import LeafKey, MusigKey
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.sighash import leaf_hash as hash_of
from shared.errors import BitcoinMalformed


def session(entry: PsbtInput, signed_under: bytes, leaf_hash: bytes | None, digest: bytes) -> Session | None:
    """The session of all participants for the key `signed_under` (33 bytes); None while a nonce is missing.

    BitcoinMalformed where no participants of the input make that key.
    """
    aggregate = _aggregate(entry, signed_under)
    keys = [MusigKey(participant, signed_under, leaf_hash) for participant in aggregate.public_keys]
    nonces = [entry.musig_nonces[key] for key in keys if key in entry.musig_nonces]
    return aggregate.session(digest, nonces) if len(nonces) == len(keys) else None


def summed(entry: PsbtInput, index: int, sighasher: Sighasher) -> PsbtInput:
    """The input with a signature for every session whose partial signatures are all there."""
    for signed_under, leaf_hash in dict.fromkeys(
        (key.aggregate, key.leaf_hash) for key in entry.musig_partial_signatures
    ):
        leaf = _leaf_script(entry, leaf_hash)
        found = session(entry, signed_under, leaf_hash, sighasher.taproot(index, leaf_script=leaf))
        if found is None:
            continue
        keys = [MusigKey(participant, signed_under, leaf_hash) for participant in found.aggregate.public_keys]
        partials = [entry.musig_partial_signatures[key] for key in keys if key in entry.musig_partial_signatures]
        if len(partials) < len(keys):
            continue
        signature = found.combine(partials)
        if leaf_hash is None:
            entry = replace(entry, tap_key_signature=entry.tap_key_signature or signature)
        else:
            key = LeafKey(signed_under[1:], leaf_hash)
            entry = replace(entry, tap_script_signatures={key: signature, **entry.tap_script_signatures})
    return entry


def _aggregate(entry: PsbtInput, signed_under: bytes) -> KeyAggregate:
    for candidate in _candidates(entry):
        if candidate.public_key == signed_under:
            return candidate
    raise BitcoinMalformed(f"psbt: no participants that the input names make the key {signed_under.hex()}")


def _candidates(entry: PsbtInput) -> Iterator[KeyAggregate]:
    """Aggregates as they are, after their steps of BIP-328, and as internal keys tweaked by BIP-341."""
    for aggregate, participants in entry.musig_participants.items():
        paths = {(), *(one.origin.path for one in entry.tap_derivations.values() if _is_of(aggregate, one.origin))}
        for path in paths:
            yield script_key(participants, path)
            yield output_key(participants, path, entry.tap_merkle_root or b"")


def _is_of(aggregate: bytes, origin: KeyOrigin) -> bool:
    return origin.fingerprint == hash160(aggregate)[:4]


def _leaf_script(entry: PsbtInput, leaf_hash: bytes | None) -> bytes | None:
    if leaf_hash is None:
        return None
    for leaf in entry.tap_leaf_scripts.values():
        if hash_of(leaf.script, leaf.version) == leaf_hash:
            return leaf.script
    raise BitcoinMalformed(f"psbt: the leaf {leaf_hash.hex()} has partial signatures and no script")
