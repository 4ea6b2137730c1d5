"""What a transaction weighs once it is signed, before it is."""

from agent.signer.policy.place import Place
from shared.bitcoin.compact_size import compact_size_length
from shared.bitcoin.transaction import Transaction
from shared.wire.contract import SpendingPath

_ECDSA_BYTES = 72
"""DER with low-S and the sighash byte; a token cannot grind for a shorter one."""
_SCHNORR_BYTES = 64
_SWITCHES = 2
"""Empty or one-byte items that choose a branch; the extra item of CHECKMULTISIG is one of them."""
_MARKER_WU = 2  # marker and flag, BIP-144


def signed_weight_wu(tx: Transaction, path: SpendingPath, places: tuple[Place, ...]) -> int:
    """Weight (BIP-141), where each input carries the needed signatures, the scripts that they fulfil, and switches."""
    return len(tx.base) * 4 + _MARKER_WU + sum(_witness_wu(path, place) for place in places)


def _witness_wu(path: SpendingPath, place: Place) -> int:
    derived = place.derived
    if derived.witness_script is not None:
        items = [_ECDSA_BYTES] * path.needed + [1] * _SWITCHES + [len(derived.witness_script)]
    elif path.leaf is None:
        items = [_SCHNORR_BYTES]
    else:
        leaf = derived.leaves[path.leaf]
        absent = len(path.keys) - path.needed
        items = [_SCHNORR_BYTES] * path.needed + [0] * absent + [len(leaf.script), len(leaf.control_block)]
    return compact_size_length(len(items)) + sum(compact_size_length(size) + size for size in items)
