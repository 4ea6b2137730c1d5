"""What a descriptor comes to at one index: scripts, leaves and keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shared.bitcoin.key_origin import KeyOrigin


class Leaf(NamedTuple):
    """A leaf of a Taproot tree. `keys` are the keys (33 bytes) that its script names, and the participants of those
    that are MuSig2 aggregates.
    """

    script: bytes
    version: int
    control_block: bytes
    depth: int
    leaf_hash: bytes
    keys: tuple[bytes, ...]


class Aggregate(NamedTuple):
    """A `musig()`: `key` is what the script holds, derived from `aggregate` (BIP-328) where the expression has a path.

    Keys have 33 bytes; `participants` are in the order of aggregation (BIP-327, KeySort), as BIP-373 stores them.
    """

    aggregate: bytes
    key: bytes
    participants: tuple[bytes, ...]
    origin: KeyOrigin


@dataclass(frozen=True, slots=True)
class Derived:
    """`branch` 0 receives and 1 is for change. What a form of output has not is None or empty.

    `internal_key` is x-only. `keys` (33 bytes, x-only ones with the even sign) stand as in `Descriptor.keys`;
    `origins` tells where each of them comes from, a key without an origin being its own master (BIP-174).
    """

    branch: int
    index: int
    script: bytes
    witness_script: bytes | None
    redeem_script: bytes | None
    internal_key: bytes | None
    merkle_root: bytes | None
    leaves: tuple[Leaf, ...]
    keys: tuple[bytes, ...]
    origins: Mapping[bytes, KeyOrigin]
    aggregates: tuple[Aggregate, ...]
