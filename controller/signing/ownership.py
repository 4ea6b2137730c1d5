"""Which public keys of a script belong to which party of the contract."""

import hashlib
import hmac
from functools import lru_cache
from typing import Final

from controller.signing.ports import Contract
from controller.signing.spending import descriptor_of
from shared.bitcoin.descriptor.derived import Aggregate, Derived
from shared.bitcoin.descriptor.key import KeyExpression
from shared.bitcoin.musig import KeyAggregate, Tweak, taproot_tweak
from shared.errors import BitcoinMalformed

_CHAIN_CODE: Final = bytes.fromhex("868087ca02a6f974c4598924c36b57762d32cb45717167e300622c7167e38965")  # BIP-328


def derived_at(contract: Contract, place: tuple[int, int]) -> Derived:
    """The script of a (branch, index) of the contract."""
    return descriptor_of(contract.terms.descriptor, contract.terms.network).derive(*place)


def keys_of_party(contract: Contract, party: str, derived: Derived) -> frozenset[bytes]:
    """The party's keys (33 bytes) in a script: all that come from its one key, however they are derived."""
    bare = {_root(one.key) for one in contract.terms.parties if one.name == party}
    return frozenset(key for one, key in zip(expressions(contract), derived.keys, strict=True) if one.key in bare)


def expressions(contract: Contract) -> tuple[KeyExpression, ...]:
    """The keys as the descriptor writes them, in the order of `Derived.keys`."""
    return descriptor_of(contract.terms.descriptor, contract.terms.network).keys


def key_path_aggregate(derived: Derived) -> tuple[Aggregate, KeyAggregate]:
    """The musig() of a Taproot key path, and the key that its signers sign under: steps of BIP-328, then BIP-341."""
    for aggregate in derived.aggregates:
        if derived.internal_key == aggregate.key[1:]:
            return aggregate, _tweaked(aggregate, derived.internal_key, derived.merkle_root or b"")
    raise BitcoinMalformed("the internal key of this script is no musig()")


@lru_cache(maxsize=8_192)
def _tweaked(aggregate: Aggregate, internal_key: bytes, merkle_root: bytes) -> KeyAggregate:
    tweaks: list[Tweak] = []
    key, chain_code = aggregate.aggregate, _CHAIN_CODE
    for step in aggregate.origin.path:
        mixed = hmac.digest(chain_code, key + step.to_bytes(4, "big"), hashlib.sha512)
        tweaks.append(Tweak(mixed[:32]))
        key, chain_code = KeyAggregate(aggregate.participants, tweaks).public_key, mixed[32:]
    return KeyAggregate(aggregate.participants, (*tweaks, taproot_tweak(internal_key, merkle_root)))


def _root(key: str) -> str:
    """Of `[d34db33f/48h]xpub…/<0;1>/*` the `xpub…`."""
    return key.rpartition("]")[2].partition("/")[0]
