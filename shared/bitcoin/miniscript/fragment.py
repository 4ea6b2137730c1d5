"""Names of BIP-379: the two script contexts and the fragments of which every miniscript is built."""

from enum import StrEnum


class Context(StrEnum):
    """Where a script runs; multisignatures, key sizes and limits differ."""

    P2WSH = "wsh"
    TAPSCRIPT = "tapscript"

    @property
    def key_size(self) -> int:
        """Bytes of a public key in the script: compressed, or x-only (BIP-340)."""
        return 33 if self is Context.P2WSH else 32

    @property
    def signature_size(self) -> int:
        """Largest signature on the stack: low-S DER and the sighash byte, or BIP-340 with SIGHASH_DEFAULT."""
        return 72 if self is Context.P2WSH else 64


class Fragment(StrEnum):
    """A fragment by its name in text; wrappers are one letter."""

    FALSE = "0"
    TRUE = "1"
    PK_K = "pk_k"
    PK_H = "pk_h"
    OLDER = "older"
    AFTER = "after"
    SHA256 = "sha256"
    HASH256 = "hash256"
    RIPEMD160 = "ripemd160"
    HASH160 = "hash160"
    ANDOR = "andor"
    AND_V = "and_v"
    AND_B = "and_b"
    OR_B = "or_b"
    OR_C = "or_c"
    OR_D = "or_d"
    OR_I = "or_i"
    THRESH = "thresh"
    MULTI = "multi"
    MULTI_A = "multi_a"
    A = "a"
    S = "s"
    C = "c"
    D = "d"
    V = "v"
    J = "j"
    N = "n"


KEY_FRAGMENTS = frozenset({Fragment.PK_K, Fragment.PK_H})
MULTISIGS = frozenset({Fragment.MULTI, Fragment.MULTI_A})
LOCKS = frozenset({Fragment.OLDER, Fragment.AFTER})
DIGEST_SIZES = {Fragment.SHA256: 32, Fragment.HASH256: 32, Fragment.RIPEMD160: 20, Fragment.HASH160: 20}
WRAPPERS = frozenset({Fragment.A, Fragment.S, Fragment.C, Fragment.D, Fragment.V, Fragment.J, Fragment.N})
SUB_COUNTS = {
    Fragment.ANDOR: 3,
    **dict.fromkeys((Fragment.AND_V, Fragment.AND_B, Fragment.OR_B, Fragment.OR_C, Fragment.OR_D, Fragment.OR_I), 2),
    **dict.fromkeys(WRAPPERS, 1),
}
