"""Official vectors: BIP-379 (bitcoin/bips, folder bip-0379) and Bitcoin Core (src/test/miniscript_tests.cpp)."""

import re
from pathlib import Path

import pytest
from btclib_wallet.descriptors import miniscript as btclib_miniscript

from shared.bitcoin.miniscript import Context, Node, faults, keys, parse, to_script, to_text
from shared.bitcoin.miniscript.limits import extents
from shared.bitcoin.signature import public_key_of
from shared.errors import BitcoinMalformed, InsaneScript

HERE = Path(__file__).parent
DIGESTS = {
    "HASH0": "926a54995ca48600920a19bf7bc502ca5f2f7d07e6f804c4f00ebf0325084dbc",
    "HASH1": "c7bcb868ab4db55ca45f8eefe5b1677d9fc2c4111e295baaee1b34ed352c719b",
}
KEY = "03a0434d9e47f3c86235477c7b1ae6ae5d3442d49b1943c2b752a68e2a47e247c7"
OTHER = "036d2b085e9e382ed10b69fc311a03f8641ccfff21574de0927513a49d9a688a00"


def rows(name: str) -> list[list[str]]:
    lines = (HERE / name).read_text().splitlines()
    for short, digest in DIGESTS.items():
        lines = [line.replace(short, digest) for line in lines]
    return [line.split("\t") for line in lines if not line.startswith("#")]


def small_keys(node: Node, context: Context) -> dict[str, bytes]:
    """A is the public key of the secret 1, B that of 2, and so on."""
    found = {name: public_key_of((ord(name) - ord("A") + 1).to_bytes(32, "big")) for name in keys(node)}
    return found if context is Context.P2WSH else {name: key[1:] for name, key in found.items()}


@pytest.mark.parametrize("row", rows("bip379_p2wsh.tsv"), ids=lambda row: row[0])
def test_properties_in_p2wsh(row: list[str]):
    text, size, ops, elements, mixed, non_malleable, signed, witness_bytes = row
    node = parse(text, Context.P2WSH)
    largest = extents(node).sat
    assert largest is not None
    assert node.script_size == int(size)
    assert node.static_ops + largest.checked_keys == int(ops)
    assert (largest.items + 1, largest.witness_bytes) == (int(elements), int(witness_bytes))
    assert (node.is_type("k"), node.is_type("m")) == (mixed == "false", non_malleable == "true")
    assert signed == "false" or node.is_type("s")
    assert (not faults(node)) == (mixed == "false" and non_malleable == "true" and signed == "true")


@pytest.mark.parametrize("row", rows("bip379_tapscript.tsv"), ids=lambda row: row[0])
def test_properties_in_tapscript(row: list[str]):
    if row[1] == "PARSE_ERR":
        with pytest.raises(BitcoinMalformed):
            parse(row[0], Context.TAPSCRIPT)
        return
    text, size, elements, mixed, non_malleable, signed, witness_bytes = row
    node = parse(text, Context.TAPSCRIPT)
    largest = extents(node).sat
    assert largest is not None
    assert node.script_size == int(size)
    assert largest.items + 1 == int(elements)
    # The vectors count a signature with an explicit sighash type, one byte more, and every part of a thresh satisfied.
    spare = int(witness_bytes) - largest.witness_bytes
    assert 0 <= spare <= text.count("multi_a") * 2 + text.count("pk_") or ("thresh" in text and spare > 0)
    assert (node.is_type("k"), node.is_type("m")) == (mixed == "false", non_malleable == "true")
    assert (not faults(node)) == (mixed == "false" and non_malleable == "true" and signed == "true")


@pytest.mark.parametrize("row", rows("bip379_invalid.txt"), ids=lambda row: row[0])
def test_invalid_expressions_do_not_parse(row: list[str]):
    with pytest.raises(BitcoinMalformed):
        parse(row[0], Context.P2WSH)


@pytest.mark.parametrize("row", rows("bip379_malleable.txt"), ids=lambda row: row[0])
def test_malleable_expressions_have_their_type_and_are_refused(row: list[str]):
    text, kind = row[0].split(" ")
    node = parse(text, Context.P2WSH)
    assert {letter for letter in "Bdun" if node.is_type(letter)} == set(kind)
    assert not node.is_type("m")
    assert any("malleable" in fault for fault in faults(node))


@pytest.mark.parametrize("row", rows("bip379_opcodes.txt"), ids=lambda row: row[0])
def test_opcodes_and_types(row: list[str]):
    text, kind, opcodes = row[0].split(" ")
    node = parse(text, Context.P2WSH)
    largest = extents(node).sat
    assert largest is not None
    assert node.static_ops + largest.checked_keys == int(opcodes)
    assert {letter for letter in "Bdunosfem" if node.is_type(letter)} >= set(kind) - {"e", "f"}


@pytest.mark.parametrize("row", rows("bip379_scripts.tsv"), ids=lambda row: f"{row[0]} {row[1]}")
def test_scripts(row: list[str]):
    where, text, script = row
    context = Context.P2WSH if where == "wsh" else Context.TAPSCRIPT
    if script == "ERR":
        with pytest.raises(BitcoinMalformed):
            parse(text, context)
        return
    node = parse(text, context)
    assert to_script(node, small_keys(node, context)).hex() == script
    assert node.script_size == len(script) // 2


@pytest.mark.parametrize("row", rows("bip379_edge_cases.txt"), ids=lambda row: row[0])
def test_edge_cases_are_read_as_btclib_reads_them(row: list[str]):
    node = parse(row[0], Context.P2WSH)
    known = small_keys(node, Context.P2WSH)
    named = re.sub(r"(?<=[(,])[A-T](?=[),])", lambda name: known[name.group()].hex(), row[0])
    assert node.is_type("B")
    assert to_script(node, known) == bytes(btclib_miniscript.parse(named, btclib_miniscript.P2WSH).script())
    assert parse(to_text(node), Context.P2WSH) == node


@pytest.mark.parametrize("row", rows("core_scripts.tsv"), ids=lambda row: row[0][:60])
def test_scripts_of_bitcoin_core(row: list[str]):
    text, script, flags, *limits = row
    node = parse(text, Context.P2WSH)
    keys = {key: bytes.fromhex(key) for key in re.findall(r"0[23][0-9a-f]{64}(?=[,)])", text)}
    assert to_script(node, keys).hex() == script
    assert node.script_size == len(script) // 2
    assert node.is_type("m") == ("n" in flags)
    assert node.is_type("k") == ("t" not in flags)
    assert "s" not in flags or node.is_type("s")
    if limits:
        largest = extents(node).sat
        assert largest is not None
        ops, stack = (int(limit) for limit in limits)
        assert node.static_ops + largest.checked_keys == ops
        # Core counts the script too, and never the dissatisfaction of a hash, which a sane script does not use.
        assert largest.items + 1 == stack or (largest.items + 1 > stack and "n" not in flags)
    assert parse(to_text(node), Context.P2WSH) == node


@pytest.mark.parametrize(
    "text",
    [
        "l:older(0)", "l:older(2147483648)", "u:after(0)", "u:after(2147483648)", "andor(a:0,1,1)", "andor(0,a:1,a:1)",
        "andor(1,1,1)", "andor(or_i(0,after(1)),1,1)", "and_v(1,1)", f"and_v(pk_k({KEY}),1)", "and_v(v:1,a:1)",
        "and_b(1,1)", "and_b(v:1,a:1)", "and_b(a:1,a:1)", f"and_b(pk_k({KEY}),a:1)", "or_b(1,a:0)", "or_b(0,a:1)",
        "or_b(0,0)", "or_b(v:0,a:0)", "or_b(a:0,a:0)", f"or_b(pk_k({KEY}),a:0)", "t:or_c(a:0,v:1)", "t:or_c(1,v:1)",
        "t:or_c(or_i(0,after(1)),v:1)", "t:or_c(0,1)", "or_d(a:0,1)", "or_d(1,1)", "or_d(or_i(0,after(1)),1)",
        "or_d(0,v:1)", "or_i(a:1,a:1)", f"thresh(3,c:pk_k({KEY}),sc:pk_k({OTHER}))",
        f"thresh(0,c:pk_k({KEY}),sc:pk_k({OTHER}))", f"thresh(2,c:pk_k({KEY}),sdv:older(32))",
    ],
)  # fmt: skip
def test_expressions_that_bitcoin_core_refuses(text: str):
    with pytest.raises(BitcoinMalformed):
        parse(text, Context.P2WSH)


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("l:older(1)", "m"), ("l:older(2147483647)", "m"), ("andor(0,1,1)", "m"), ("andor(n:or_i(0,after(1)),1,1)", ""),
        (f"c:andor(0,pk_k({KEY}),pk_k({OTHER}))", "ms"), ("t:andor(0,v:1,v:1)", "m"), ("and_v(v:1,1)", "m"),
        (f"c:and_v(v:1,pk_k({KEY}))", "ms"), ("and_b(1,a:1)", "m"), ("or_b(0,a:0)", "ms"), ("t:or_c(0,v:1)", "m"),
        ("t:or_c(n:or_i(0,after(1)),v:1)", ""), ("or_d(0,1)", "m"), ("or_i(1,1)", ""), ("t:or_i(v:1,v:1)", ""),
        (f"c:or_i(pk_k({KEY}),pk_k({OTHER}))", "ms"), ("or_b(l:after(100),al:after(1000000000))", ""),
    ],
)  # fmt: skip
def test_expressions_that_bitcoin_core_accepts(text: str, properties: str):
    node = parse(text, Context.P2WSH)
    assert "".join(letter for letter in "ms" if node.is_type(letter)) == properties


@pytest.mark.parametrize(
    "text",
    [
        f"and_v(v:pk({KEY}),pk({KEY}))",
        f"or_b(c:pk_k({KEY}),ac:pk_h({KEY}))",
        f"or_i(and_b(pk({KEY}),s:pk({OTHER})),and_b(older(1),s:pk({KEY})))",
    ],
)
def test_a_repeated_key_is_insane(text: str):
    assert any("stands in it 2 times" in fault for fault in faults(parse(text, Context.P2WSH)))


def test_the_innermost_cause_is_named():
    node = parse(f"or_i(and_b(after(1),a:after(1000000000)),pk({KEY}))", Context.P2WSH)
    mixing = [fault for fault in faults(node) if "height and a time lock" in fault]
    assert mixing == ["one path needs a height and a time lock at once: and_b(after(1),a:after(1000000000))"]


def test_two_names_of_one_key_are_refused_when_the_script_is_made():
    node = parse("or_d(pk(A),pk(B))", Context.P2WSH)
    with pytest.raises(InsaneScript, match="same public key"):
        to_script(node, {"A": bytes.fromhex(KEY), "B": bytes.fromhex(KEY)})
