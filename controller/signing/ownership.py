"""Which public keys of a script belong to which party of the contract."""

from controller.signing.ports import Contract
from controller.signing.spending import descriptor_of
from shared.bitcoin.descriptor.aggregate import output_key
from shared.bitcoin.descriptor.derived import Aggregate, Derived
from shared.bitcoin.descriptor.key import KeyExpression
from shared.bitcoin.musig import KeyAggregate
from shared.errors import BitcoinMalformed


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
            path = aggregate.origin.path
            return aggregate, output_key(aggregate.participants, path, derived.merkle_root or b"")
    raise BitcoinMalformed("the internal key of this script is no musig()")


def _root(key: str) -> str:
    """Of `[d34db33f/48h]xpub…/<0;1>/*` the `xpub…`."""
    return key.rpartition("]")[2].partition("/")[0]
