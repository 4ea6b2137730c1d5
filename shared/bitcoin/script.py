"""Scripts: opcodes, pushes, the kinds of outputs, and what relay asks of them."""

import hashlib
from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from shared.bitcoin.compact_size import compact_size_length
from shared.bitcoin.hashes import hash160
from shared.errors import BitcoinMalformed

MAX_PUSH_BYTES: Final = 520
MAX_SCRIPT_BYTES: Final = 10_000
MAX_KEYS_OF_MULTISIG: Final = 20
DUST_RELAY_SAT_KVB: Final = 3_000

_SPEND_BYTES: Final = 32 + 4 + 1 + 107 + 4  # what Bitcoin Core takes for an input when it reckons dust
_SPEND_VB_WITNESS: Final = 32 + 4 + 1 + 107 // 4 + 4


class Op(IntEnum):
    """Opcodes as Bitcoin Core names them, without OP_."""

    ZERO = 0x00
    PUSHDATA1 = 0x4C
    PUSHDATA2 = 0x4D
    PUSHDATA4 = 0x4E
    NEGATE1 = 0x4F
    ONE = 0x51
    TWO = 0x52
    SIXTEEN = 0x60
    IF = 0x63
    NOTIF = 0x64
    ELSE = 0x67
    ENDIF = 0x68
    VERIFY = 0x69
    RETURN = 0x6A
    TOALTSTACK = 0x6B
    FROMALTSTACK = 0x6C
    IFDUP = 0x73
    DROP = 0x75
    DUP = 0x76
    SWAP = 0x7C
    SIZE = 0x82
    EQUAL = 0x87
    EQUALVERIFY = 0x88
    NOT0 = 0x92
    ADD = 0x93
    BOOLAND = 0x9A
    BOOLOR = 0x9B
    NUMEQUAL = 0x9C
    NUMEQUALVERIFY = 0x9D
    RIPEMD160 = 0xA6
    SHA256 = 0xA8
    HASH160 = 0xA9
    HASH256 = 0xAA
    CODESEPARATOR = 0xAB
    CHECKSIG = 0xAC
    CHECKSIGVERIFY = 0xAD
    CHECKMULTISIG = 0xAE
    CHECKMULTISIGVERIFY = 0xAF
    CHECKLOCKTIMEVERIFY = 0xB1
    CHECKSEQUENCEVERIFY = 0xB2
    CHECKSIGADD = 0xBA


class ScriptKind(StrEnum):
    P2WPKH = "p2wpkh"
    P2WSH = "p2wsh"
    P2TR = "p2tr"
    P2PKH = "p2pkh"
    P2SH = "p2sh"
    OP_RETURN = "op_return"
    OTHER = "other"


class Step(NamedTuple):
    """One opcode of a script; `data` is what a push pushes and None for everything else."""

    opcode: int
    data: bytes | None


def push(data: bytes) -> bytes:
    """The shortest push (MINIMALDATA): small numbers have opcodes of their own."""
    if not data:
        return bytes((Op.ZERO,))
    if len(data) == 1 and 1 <= data[0] <= 16:
        return bytes((Op.ONE - 1 + data[0],))
    if data == b"\x81":
        return bytes((Op.NEGATE1,))
    if len(data) < Op.PUSHDATA1:
        return bytes((len(data),)) + data
    if len(data) <= 0xFF:
        return bytes((Op.PUSHDATA1, len(data))) + data
    if len(data) <= MAX_PUSH_BYTES:
        return bytes((Op.PUSHDATA2,)) + len(data).to_bytes(2, "little") + data
    raise BitcoinMalformed(f"script: a push of {len(data)} bytes, at most {MAX_PUSH_BYTES} are allowed")


def number(value: int) -> bytes:
    """A push of a script number: sign and magnitude, little endian, shortest."""
    if not value:
        return push(b"")
    magnitude = abs(value)
    raw = bytearray(magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "little"))
    if raw[-1] & 0x80:
        raw.append(0)
    if value < 0:
        raw[-1] |= 0x80
    return push(bytes(raw))


def steps(script: bytes) -> Iterator[Step]:
    """The script's opcodes in order; BitcoinMalformed where a push runs over its end."""
    at = 0
    while at < len(script):
        opcode = script[at]
        at += 1
        if opcode > Op.PUSHDATA4:
            yield Step(opcode, None)
            continue
        width = {Op.PUSHDATA1: 1, Op.PUSHDATA2: 2, Op.PUSHDATA4: 4}.get(Op(opcode), 0) if opcode >= 0x4C else 0
        length = int.from_bytes(script[at : at + width], "little") if width else opcode
        at += width
        if at + length > len(script):
            raise BitcoinMalformed(f"script: a push of {length} bytes runs over its end at byte {len(script)}")
        yield Step(opcode, script[at : at + length])
        at += length


def kind(script: bytes) -> ScriptKind:
    """By exact template, as Bitcoin Core's solver; OP_RETURN is whatever begins with it."""
    for found, length, before, after in _TEMPLATES:
        if len(script) == length and script.startswith(before) and script.endswith(after):
            return found
    return ScriptKind.OP_RETURN if script[:1] == bytes((Op.RETURN,)) else ScriptKind.OTHER


def witness_program(script: bytes) -> tuple[int, bytes] | None:
    """Version and program (BIP-141), or None."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] and not Op.ONE <= script[0] <= Op.SIXTEEN:
        return None
    return (script[0] - Op.ONE + 1 if script[0] else 0), script[2:]


def p2wsh(witness_script: bytes) -> bytes:
    return _P2WSH + hashlib.sha256(witness_script).digest()


def p2wpkh(public_key: bytes) -> bytes:
    """From a compressed key of 33 bytes; others are not standard in segwit."""
    if len(public_key) != 33:
        raise BitcoinMalformed(f"public key: {len(public_key)} bytes, a compressed one has 33")
    return _P2WPKH + hash160(public_key)


def p2tr(output_key: bytes) -> bytes:
    """From a tweaked x-only key of 32 bytes (BIP-341)."""
    if len(output_key) != 32:
        raise BitcoinMalformed(f"output key: {len(output_key)} bytes, an x-only one has 32")
    return _P2TR + output_key


def p2wpkh_script_code(script: bytes) -> bytes:
    """What a signature for a P2WPKH output commits to (BIP-143)."""
    if kind(script) is not ScriptKind.P2WPKH:
        raise BitcoinMalformed("script code: the output is not P2WPKH")
    return _P2PKH + script[2:] + _CHECK


def dust_sat(script: bytes, rate_sat_kvb: int = DUST_RELAY_SAT_KVB) -> int:
    """Less than this is not worth its spending (Bitcoin Core's GetDustThreshold); 0 where nobody can spend it."""
    if script[:1] == bytes((Op.RETURN,)) or len(script) > MAX_SCRIPT_BYTES:
        return 0
    output_bytes = 8 + compact_size_length(len(script)) + len(script)
    size = output_bytes + (_SPEND_BYTES if witness_program(script) is None else _SPEND_VB_WITNESS)
    return -(-rate_sat_kvb * size // 1000)


_P2WPKH: Final = b"\x00\x14"
_P2WSH: Final = b"\x00\x20"
_P2TR: Final = b"\x51\x20"
_P2PKH: Final = b"\x76\xa9\x14"
_CHECK: Final = b"\x88\xac"
_TEMPLATES: Final = (
    (ScriptKind.P2WPKH, 22, _P2WPKH, b""),
    (ScriptKind.P2WSH, 34, _P2WSH, b""),
    (ScriptKind.P2TR, 34, _P2TR, b""),
    (ScriptKind.P2PKH, 25, _P2PKH, _CHECK),
    (ScriptKind.P2SH, 23, b"\xa9\x14", b"\x87"),
)
