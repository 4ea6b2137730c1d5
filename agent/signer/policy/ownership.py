"""Whose key is it? A party has one key, which may stand in a descriptor with several derivations."""

from collections.abc import Sequence
from typing import Final

from agent.signer.rule import REGISTER_TERMS
from shared.bitcoin.descriptor import Derived, Descriptor
from shared.bitcoin.descriptor.key import keys_of
from shared.errors import Denied
from shared.wire.contract import ContractTerms, Party, SpendingPath

NOBODY: Final = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
"""The point H of BIP-341, whose secret nobody knows: an internal key that never signs."""


def path_keys(terms: ContractTerms, path: SpendingPath, descriptor: Descriptor, derived: Derived) -> tuple[bytes, ...]:
    """The public keys (33 bytes) of the path's parties at one place: those of its leaf, or of the internal key."""
    bare = {_bare(party.key) for party in terms.parties if party.name in path.keys}
    pairs = zip(descriptor.keys, derived.keys, strict=True)
    keys = dict.fromkeys(key for expression, key in pairs if expression.key in bare)
    if path.leaf is not None:
        named = {key[1:] for key in derived.leaves[path.leaf].keys}
    elif derived.internal_key is not None:
        named = _internal_keys(derived, derived.internal_key)
    else:
        return tuple(keys)
    return tuple(key for key in keys if key[1:] in named)


def _internal_keys(derived: Derived, internal_key: bytes) -> set[bytes]:
    """A party may have other keys in the leaves, which the key path does not sign by."""
    for each in derived.aggregates:
        if each.key[1:] == internal_key:
            return {key[1:] for key in each.participants}
    return {internal_key}


def check_ownership(terms: ContractTerms, descriptor: Descriptor) -> None:
    """`register.terms` where a key has no party or two, or a party no key."""
    owned = [_bare(party.key) for party in terms.parties]
    if len(set(owned)) != len(owned):
        raise Denied(REGISTER_TERMS, "two parties have the same key; who signs twice is not two")
    in_script = {expression.key for expression in descriptor.keys} - {NOBODY}
    odd = in_script ^ set(owned)
    if odd:
        raise Denied(REGISTER_TERMS, f"key {min(odd)} stands in the descriptor or among the parties, not in both")


def names_of(expression: str, parties: Sequence[Party]) -> frozenset[str]:
    """The parties that sign for a key expression; those of a musig() all sign."""
    names = {_bare(party.key): party.name for party in parties}
    return frozenset(names[key.key] for key in keys_of(f"pk({expression})"))


def _bare(expression: str) -> str:
    """Of `[d34db33f/48h]xpub…/<0;1>/*` the `xpub…`."""
    return expression.rpartition("]")[2].partition("/")[0]
