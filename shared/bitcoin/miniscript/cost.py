"""What a spending path costs: weight of the input, checks against the signature budget, size for relay.

Weights: BIP-141 (base bytes count four times). Signature budget: BIP-342. Relay size: 20 virtual bytes per signature
operation of segwit v0 at least (Bitcoin Core's policy).
"""

from collections.abc import Sequence
from math import ceil

from shared.bitcoin.compact_size import compact_size_length
from shared.bitcoin.miniscript.fragment import Context
from shared.bitcoin.miniscript.paths import Path
from shared.errors import BitcoinMalformed

# Outpoint, empty scriptSig with its length, sequence.
INPUT_BASE_WU = 4 * (36 + 1 + 4)
SCHNORR_SIGNATURE_SIZE = 64
MAX_TREE_DEPTH = 128
_BUDGET_BASE = 50
_BUDGET_PER_SIGNATURE = 50
_RELAY_WU_PER_SIGOP = 20


def stack_wu(sizes: Sequence[int]) -> int:
    """Weight of a witness stack of elements of these bytes, with its count and length prefixes."""
    return compact_size_length(len(sizes)) + sum(compact_size_length(size) + size for size in sizes)


def control_block_size(depth: int) -> int:
    """Leaf version, internal key and one hash per level (BIP-341); BitcoinMalformed beyond 128 levels."""
    if not 0 <= depth <= MAX_TREE_DEPTH:
        raise BitcoinMalformed(f"a leaf lies 0 to {MAX_TREE_DEPTH} levels deep, not {depth}")
    return 33 + 32 * depth


def witness_sizes(path: Path, depth: int = 0) -> tuple[int, ...]:
    """Bytes of every element of the input's witness; `depth` is that of the leaf and counts in tapscript only."""
    control = () if path.context is Context.P2WSH else (control_block_size(depth),)
    return (*path.witness_sizes, path.script_size, *control)


def input_wu(path: Path, depth: int = 0) -> int:
    """Weight that the input adds to a transaction at most, without the transaction's two bytes of marker and flag."""
    return INPUT_BASE_WU + stack_wu(witness_sizes(path, depth))


def key_path_input_wu(signature_size: int = SCHNORR_SIGNATURE_SIZE) -> int:
    """Weight of a Taproot input that its output key signs, 65 bytes with an explicit sighash type."""
    return INPUT_BASE_WU + stack_wu((signature_size,))


def signature_budget(path: Path, depth: int) -> tuple[int, int]:
    """Used and allowed units of a tapscript path (BIP-342): 50 per signature of 50 plus the size of the witness."""
    return _BUDGET_PER_SIGNATURE * path.signatures, _BUDGET_BASE + stack_wu(witness_sizes(path, depth))


def relay_vsize_vb(weight_wu: int, sigops_cost: int) -> int:
    """Virtual size by which a node reckons the fee rate."""
    return ceil(max(weight_wu, _RELAY_WU_PER_SIGOP * sigops_cost) / 4)
