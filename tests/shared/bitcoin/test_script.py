import pytest
from btclib.script import serialize
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.script import (
    MAX_PUSH_BYTES,
    Op,
    ScriptKind,
    dust_sat,
    kind,
    number,
    p2tr,
    p2wpkh,
    p2wpkh_script_code,
    p2wsh,
    push,
    steps,
    witness_program,
)
from shared.errors import BitcoinMalformed

KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
HASH = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")  # BIP-173 names it for this key
P2PKH = b"\x76\xa9\x14" + HASH + b"\x88\xac"
P2SH = b"\xa9\x14" + HASH + b"\x87"


@given(st.binary(min_size=1, max_size=MAX_PUSH_BYTES))
def test_pushes_are_those_of_btclib(data):
    [step] = steps(push(data))
    if step.data:
        assert step.data == data
    assert push(data) == serialize([data]) or len(data) == 1  # btclib leaves single bytes as they are


@pytest.mark.parametrize(
    ("value", "script"),
    [
        (0, "00"),
        (1, "51"),
        (16, "60"),
        (-1, "4f"),
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (-128, "028080"),
        (144, "029000"),
        (4320, "02e010"),
        (32767, "02ff7f"),
        (32768, "03008000"),
        (500_000_000, "040065cd1d"),
    ],
)
def test_numbers_are_pushed_as_script_reads_them(value, script):
    assert number(value) == bytes.fromhex(script)


@given(st.integers(17, 2**31 - 1), st.booleans())
def test_numbers_without_an_opcode_of_their_own_are_those_of_btclib(magnitude, below_zero):
    value = -magnitude if below_zero else magnitude
    assert number(value) == serialize([value])


def test_a_push_longer_than_an_element_is_refused():
    with pytest.raises(BitcoinMalformed, match="521"):
        push(bytes(MAX_PUSH_BYTES + 1))


@pytest.mark.parametrize("script", [b"\x02a", b"\x4c", b"\x4c\x05abc", b"\x4d\x01", b"\x4e\xff\xff\xff\xff"])
def test_a_push_over_the_end_is_refused(script):
    with pytest.raises(BitcoinMalformed, match="runs over"):
        list(steps(script))


@given(st.binary(max_size=200))
def test_any_bytes_are_steps_or_refused(script):
    try:
        found = list(steps(script))
    except BitcoinMalformed:
        return
    assert sum(1 + len(step.data or b"") for step in found) <= len(script)


@pytest.mark.parametrize(
    ("script", "found", "dust"),
    [
        (p2wpkh(KEY), ScriptKind.P2WPKH, 294),
        (p2wsh(b"\x51"), ScriptKind.P2WSH, 330),
        (p2tr(KEY[1:]), ScriptKind.P2TR, 330),
        (P2PKH, ScriptKind.P2PKH, 546),
        (P2SH, ScriptKind.P2SH, 540),
        (b"\x6a\x04data", ScriptKind.OP_RETURN, 0),
        (b"\x51\x02\x4e\x73", ScriptKind.OTHER, 240),  # the anchor of Bitcoin Core 28, a witness program as well
        (b"", ScriptKind.OTHER, 471),
    ],
)
def test_kinds_and_dust_are_bitcoin_cores(script, found, dust):
    assert kind(script) is found
    assert dust_sat(script) == dust
    assert dust_sat(script, 1) == -(-dust // 3000)


def test_scripts_of_keys_are_those_of_bip_173():
    assert p2wpkh(KEY) == b"\x00\x14" + HASH
    assert p2wpkh_script_code(p2wpkh(KEY)) == P2PKH
    assert witness_program(p2wpkh(KEY)) == (0, HASH)
    assert witness_program(p2tr(KEY[1:])) == (1, KEY[1:])
    assert witness_program(P2PKH) is None


@pytest.mark.parametrize("wrong", [lambda: p2wpkh(KEY[1:]), lambda: p2tr(KEY), lambda: p2wpkh_script_code(P2PKH)])
def test_keys_and_scripts_of_the_wrong_kind_are_refused(wrong):
    with pytest.raises(BitcoinMalformed):
        wrong()


def test_opcodes_have_bitcoin_cores_numbers():
    assert (Op.CHECKSIG, Op.CHECKSIGADD, Op.CHECKSEQUENCEVERIFY, Op.SIZE) == (0xAC, 0xBA, 0xB2, 0x82)
