"""Bytes and counted opcodes that each fragment adds to the script of its arguments (translation table of BIP-379)."""

from shared.bitcoin.miniscript.fragment import DIGEST_SIZES, LOCKS, Context, Fragment

_FIXED = {
    Fragment.FALSE: 1,
    Fragment.TRUE: 1,
    Fragment.PK_H: 24,
    Fragment.ANDOR: 3,
    Fragment.AND_V: 0,
    Fragment.AND_B: 1,
    Fragment.OR_B: 1,
    Fragment.OR_C: 2,
    Fragment.OR_D: 3,
    Fragment.OR_I: 3,
    Fragment.A: 2,
    Fragment.S: 1,
    Fragment.C: 1,
    Fragment.D: 3,
    Fragment.J: 4,
    Fragment.N: 1,
}
_OPS = {
    Fragment.PK_H: 3,
    Fragment.OLDER: 1,
    Fragment.AFTER: 1,
    **dict.fromkeys(DIGEST_SIZES, 4),
    Fragment.ANDOR: 3,
    Fragment.AND_B: 1,
    Fragment.OR_B: 1,
    Fragment.OR_C: 2,
    Fragment.OR_D: 3,
    Fragment.OR_I: 3,
    Fragment.MULTI: 1,
    Fragment.A: 2,
    Fragment.S: 1,
    Fragment.C: 1,
    Fragment.D: 3,
    Fragment.J: 4,
    Fragment.N: 1,
}
# SIZE, push of 32, EQUALVERIFY, the hash opcode, the push opcode of the digest, EQUAL
_HASH_FRAME = 7


def number_size(number: int) -> int:
    """Bytes of the minimal push of a non-negative number."""
    return 1 if number <= 16 else 2 + number.bit_length() // 8


def script_size(fragment: Fragment, context: Context, number: int, arguments: int, *, verify_costs: bool) -> int:
    """Bytes beside those of the arguments; `verify_costs`: the argument of v: ends in no opcode with a VERIFY form."""
    fixed = _FIXED.get(fragment)
    if fixed is not None:
        return fixed
    if fragment is Fragment.V:
        return int(verify_costs)
    if fragment in LOCKS:
        return number_size(number) + 1
    if fragment in DIGEST_SIZES:
        return _HASH_FRAME + DIGEST_SIZES[fragment]
    if fragment is Fragment.THRESH:
        return number_size(number) + arguments
    key = 1 + context.key_size
    if fragment is Fragment.PK_K:
        return key
    if fragment is Fragment.MULTI:
        return number_size(number) + number_size(arguments) + 1 + key * arguments
    return number_size(number) + 1 + (key + 1) * arguments


def own_ops(fragment: Fragment, arguments: int, *, verify_costs: bool) -> int:
    """Opcodes above OP_16, which BIP-141 scripts may have 201 of; keys that a CHECKMULTISIG checks come on top."""
    if fragment is Fragment.THRESH:
        return arguments
    if fragment is Fragment.V:
        return int(verify_costs)
    return _OPS.get(fragment, 0)
