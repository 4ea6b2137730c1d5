"""The kinds of output scripts by the names that Bitcoin Core gives them in its JSON."""

from typing import Final, Literal

from shared.bitcoin.script import Op, steps, witness_program
from shared.errors import BitcoinMalformed

ScriptType = Literal[
    "nonstandard",
    "anchor",
    "pubkey",
    "pubkeyhash",
    "scripthash",
    "multisig",
    "nulldata",
    "witness_v0_keyhash",
    "witness_v0_scripthash",
    "witness_v1_taproot",
    "witness_unknown",
]
_MOST_MULTISIG_KEYS = 3
_ANCHOR = bytes.fromhex("51024e73")
_V0: Final[dict[int, ScriptType]] = {20: "witness_v0_keyhash", 32: "witness_v0_scripthash"}
_KEY_BYTES = (33, 65)


def script_type(script: bytes) -> ScriptType:
    program = witness_program(script)
    if program is not None:
        return _witness_type(script, *program)
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return "pubkeyhash"
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return "scripthash"
    if script[:1] == bytes((Op.RETURN,)) and pushes(script[1:]) is not None:
        return "nulldata"
    if len(script) in (35, 67) and script[0] == len(script) - 2 and script[-1] == Op.CHECKSIG:
        return "pubkey"
    return "multisig" if _is_multisig(script) else "nonstandard"


def pushes(script: bytes) -> tuple[bytes, ...] | None:
    """What a script of nothing but pushes puts on the stack, small numbers as nothing; None for any other script."""
    try:
        found = tuple(steps(script))
    except BitcoinMalformed:
        return None
    return None if any(step.opcode > Op.SIXTEEN for step in found) else tuple(step.data or b"" for step in found)


def _witness_type(script: bytes, version: int, program: bytes) -> ScriptType:
    if version == 0:
        return _V0.get(len(program), "nonstandard")
    if version == 1 and len(program) == 32:
        return "witness_v1_taproot"
    return "anchor" if script == _ANCHOR else "witness_unknown"


def _is_multisig(script: bytes) -> bool:
    """Bare multisig with at most three keys: what is relayed."""
    if len(script) < 3 or script[-1] != Op.CHECKMULTISIG:
        return False
    needed, of = script[0] - Op.ONE + 1, script[-2] - Op.ONE + 1
    keys = pushes(script[1:-2])
    if keys is None or len(keys) != of:
        return False
    return 1 <= needed <= of <= _MOST_MULTISIG_KEYS and all(len(key) in _KEY_BYTES for key in keys)
