"""The keys and values of PSBT fields: bytes to typed values and back (BIP-174, 370, 371 and 373)."""

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

import wallycore

from shared.bitcoin.compact_size import Reader, compact_size
from shared.bitcoin.hashes import hash160, sha256d
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.transaction import MAX_MONEY_SAT, TxOut, read_witness
from shared.errors import BitcoinMalformed

TAPSCRIPT: Final = 0xC0
MAX_TREE_DEPTH: Final = 128  # BIP-341
INPUTS_MODIFIABLE: Final = 1
OUTPUTS_MODIFIABLE: Final = 2
HAS_SIGHASH_SINGLE: Final = 4
LOCK_TIME_THRESHOLD: Final = 500_000_000  # BIP-65: heights below, times from here on


class LeafKey(NamedTuple):
    """Names a signature in a leaf: an x-only key and the hash of the leaf (BIP-371)."""

    key: bytes
    leaf_hash: bytes

    @property
    def raw(self) -> bytes:
        return self.key + self.leaf_hash


class MusigKey(NamedTuple):
    """Names a nonce or a partial signature (BIP-373); keys have 33 bytes, and no leaf hash means the key path.

    `aggregate` is the key that is signed under, after all tweaks: the Taproot output key, or the key in the leaf. (The
    key of `musig_participants`, by contrast, is the aggregate before any tweak.)
    """

    participant: bytes
    aggregate: bytes
    leaf_hash: bytes | None = None

    @property
    def raw(self) -> bytes:
        return self.participant + self.aggregate + (self.leaf_hash or b"")


class TapDerivation(NamedTuple):
    """Which leaves a key signs in, and where it comes from (BIP-371)."""

    leaf_hashes: tuple[bytes, ...]
    origin: KeyOrigin


class TapLeaf(NamedTuple):
    script: bytes
    version: int = TAPSCRIPT


class TreeLeaf(NamedTuple):
    """One leaf of an output's tree, leaves in depth-first order (BIP-371)."""

    depth: int
    version: int
    script: bytes


def sized(*sizes: int) -> Callable[[bytes], bytes]:
    """Takes bytes of these lengths only."""

    def take(raw: bytes) -> bytes:
        if len(raw) not in sizes:
            raise BitcoinMalformed(f"{len(raw)} bytes instead of {' or '.join(map(str, sizes))}")
        return raw

    return take


def public_key(raw: bytes) -> bytes:
    """A compressed key, or an uncompressed one of old scripts, by its form."""
    if (len(raw) == 33 and raw[0] in (2, 3)) or (len(raw) == 65 and raw[0] == 4):
        return raw
    raise BitcoinMalformed(f"{raw[:65].hex() or 'nothing'} is not a public key of 33 or 65 bytes")


def plain_key(raw: bytes) -> bytes:
    """A compressed key."""
    if len(raw) == 33 and raw[0] in (2, 3):
        return raw
    raise BitcoinMalformed(f"{raw[:65].hex() or 'nothing'} is not a public key of 33 bytes")


def ecdsa_signature(raw: bytes) -> bytes:
    """DER and the byte of the hash type; that it is strict DER is asked where it is verified."""
    if not 9 <= len(raw) <= 73 or raw[0] != 0x30 or raw[1] != len(raw) - 3:
        raise BitcoinMalformed("it is not a DER signature with a byte for the hash type")
    return raw


def uint32(raw: bytes) -> int:
    return int.from_bytes(sized(4)(raw), "little")


def uint32_bytes(value: int) -> bytes:
    return value.to_bytes(4, "little")


def modifiable(raw: bytes) -> int:
    """The three flags of BIP-370; what another flag would allow to change nobody knows, so it is refused."""
    flags = sized(1)(raw)[0]
    if flags > INPUTS_MODIFIABLE | OUTPUTS_MODIFIABLE | HAS_SIGHASH_SINGLE:
        raise BitcoinMalformed(f"the flags {flags:#04x} are not all known")
    return flags


def uint8_bytes(value: int) -> bytes:
    return value.to_bytes(1, "little")


def required_time(raw: bytes) -> int:
    value = uint32(raw)
    if value < LOCK_TIME_THRESHOLD:
        raise BitcoinMalformed(f"{value} is a height, a time is at least {LOCK_TIME_THRESHOLD}")
    return value


def required_height(raw: bytes) -> int:
    value = uint32(raw)
    if not 0 < value < LOCK_TIME_THRESHOLD:
        raise BitcoinMalformed(f"{value} is not a height from 1 to {LOCK_TIME_THRESHOLD - 1}")
    return value


def amount_sat(raw: bytes) -> int:
    value = int.from_bytes(sized(8)(raw), "little")
    if value > MAX_MONEY_SAT:
        raise BitcoinMalformed(f"{value} sat are more than all coins")
    return value


def amount_bytes(value: int) -> bytes:
    return value.to_bytes(8, "little")


def txid(raw: bytes) -> str:
    return sized(32)(raw)[::-1].hex()


def txid_bytes(value: str) -> bytes:
    return bytes.fromhex(value)[::-1]


def output(raw: bytes) -> TxOut:
    reader = Reader(raw, "output")
    found = TxOut(amount_sat(reader.take(8)), reader.chunk())
    reader.end()
    return found


def output_bytes(value: TxOut) -> bytes:
    return value.raw


def witness(raw: bytes) -> tuple[bytes, ...]:
    reader = Reader(raw, "witness")
    found = read_witness(reader)
    reader.end()
    return found


def origin_bytes(value: KeyOrigin) -> bytes:
    return value.raw


def extended_public_key(raw: bytes) -> bytes:
    """A serialised BIP-32 key (78 bytes)."""
    return sized(78)(raw)


def leaf_key(raw: bytes) -> LeafKey:
    sized(64)(raw)
    return LeafKey(raw[:32], raw[32:])


def control_block(raw: bytes) -> bytes:
    """Leaf version and parity, internal key, and hashes up to the root (BIP-341)."""
    if len(raw) < 33 or (len(raw) - 33) % 32 or len(raw) > 33 + 32 * MAX_TREE_DEPTH:
        raise BitcoinMalformed(f"a control block has 33 bytes and up to {MAX_TREE_DEPTH} hashes, not {len(raw)} bytes")
    return raw


def tap_leaf(raw: bytes) -> TapLeaf:
    if not raw:
        raise BitcoinMalformed("a leaf without the byte of its version")
    return TapLeaf(raw[:-1], raw[-1])


def tap_leaf_bytes(value: TapLeaf) -> bytes:
    return value.script + uint8_bytes(value.version)


def tap_derivation(raw: bytes) -> TapDerivation:
    reader = Reader(raw, "derivation")
    count = reader.compact_size()
    if count * 32 > reader.left:
        raise BitcoinMalformed(f"{count} leaf hashes cannot follow in {reader.left} bytes")
    hashes = tuple(reader.take(32) for _ in range(count))
    return TapDerivation(hashes, KeyOrigin.parse(reader.take(reader.left)))


def tap_derivation_bytes(value: TapDerivation) -> bytes:
    return compact_size(len(value.leaf_hashes)) + b"".join(value.leaf_hashes) + value.origin.raw


def tap_tree(raw: bytes) -> tuple[TreeLeaf, ...]:
    """Leaves whose depths make one whole tree."""
    reader = Reader(raw, "tree")
    leaves = []
    open_depths = [0]
    while reader.left:
        leaf = TreeLeaf(reader.integer(1), reader.integer(1), reader.chunk())
        _place(leaf.depth, open_depths)
        if leaf.version & 1:
            raise BitcoinMalformed(f"leaf version {leaf.version:#x} is odd")
        leaves.append(leaf)
    if open_depths or not leaves:
        raise BitcoinMalformed("the leaves do not make a whole tree")
    return tuple(leaves)


def _place(depth: int, open_depths: list[int]) -> None:
    """Fills the leftmost open place of the tree, which lies at a depth of at most `depth`."""
    if depth > MAX_TREE_DEPTH or not open_depths or open_depths[-1] > depth:
        raise BitcoinMalformed(f"a leaf of depth {depth} has no place in the tree")
    place = open_depths.pop()
    open_depths.extend(range(place + 1, depth + 1))


def tap_tree_bytes(value: tuple[TreeLeaf, ...]) -> bytes:
    return b"".join(
        uint8_bytes(leaf.depth) + uint8_bytes(leaf.version) + compact_size(len(leaf.script)) + leaf.script
        for leaf in value
    )


def participants(raw: bytes) -> tuple[bytes, ...]:
    if not raw or len(raw) % 33:
        raise BitcoinMalformed(f"{len(raw)} bytes are not keys of 33 bytes each")
    return tuple(plain_key(raw[start : start + 33]) for start in range(0, len(raw), 33))


def musig_key(raw: bytes) -> MusigKey:
    sized(66, 98)(raw)
    return MusigKey(plain_key(raw[:33]), plain_key(raw[33:66]), raw[66:] or None)


def public_nonce(raw: bytes) -> bytes:
    """Two compressed points (BIP-327)."""
    sized(66)(raw)
    plain_key(raw[:33])
    plain_key(raw[33:])
    return raw


def joined(value: tuple[bytes, ...]) -> bytes:
    return b"".join(value)


PREIMAGE_HASHES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "ripemd160": lambda data: bytes(wallycore.ripemd160(data)),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "hash160": hash160,
    "hash256": sha256d,
}
