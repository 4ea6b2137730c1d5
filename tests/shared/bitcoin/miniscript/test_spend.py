"""Every path that we list, signed with real keys and judged by Bitcoin Core's consensus code."""

import pytest
from hypothesis import given, settings

from shared.bitcoin.miniscript import (
    Assets,
    Context,
    Node,
    Path,
    Signature,
    compile_policy,
    fill,
    input_wu,
    parse,
    paths,
    satisfy,
    signature_budget,
    to_script,
    witness_sizes,
)
from shared.errors import BitcoinMalformed, InsaneScript
from tests.shared.bitcoin.miniscript.grounds import Coin, policies

UNKNOWN = "hash160(0000000000000000000000000000000000000000)"
# The shapes of the treasury's templates.
SHAPES = (
    (Context.P2WSH, "or_d(multi(2,A,B,C),and_v(v:pkh(D),older(4320)))"),
    (Context.P2WSH, "thresh(3,pk(A),s:pk(B),s:pk(C),sln:older(12960))"),
    (Context.P2WSH, "or_i(and_v(v:pkh(A),older(12960)),or_d(multi(2,B,C,D),and_v(v:multi(2,E,F),older(4320))))"),
    (Context.P2WSH, "and_v(v:multi(2,A,B,C),after(900000))"),
    (Context.P2WSH, f"andor(pk(A),or_i(and_v(v:pkh(B),{UNKNOWN}),older(1008)),pk(C))"),
    (Context.TAPSCRIPT, "multi_a(2,A,B,C)"),
    (Context.TAPSCRIPT, "and_v(v:pk(A),older(4320))"),
    (Context.TAPSCRIPT, "thresh(2,pk(A),s:pk(B),sdv:older(7))"),
    (Context.TAPSCRIPT, "or_d(multi_a(2,A,B,C),and_v(v:multi_a(2,D,E),after(800000)))"),
)  # fmt: skip


def check_path(coin: Coin, path: Path, depth: int = 0) -> None:
    """Accepted as it is, of exactly the weight that was told, and refused when anything of it is missing."""
    spent = coin.spend(path)
    assert coin.accepts(spent)
    spare = sum(
        72 - len(element) if isinstance(item, Signature) and path.context is Context.P2WSH else 0
        for item, element in zip(path.witness, spent.inputs[0].witness, strict=False)
    )
    rest_wu = 4 * (4 + 1 + 1 + 8 + 1 + 34 + 4) + 2
    assert spent.weight_wu == rest_wu + input_wu(path, depth) - spare
    assert spare <= 2 * path.signatures
    assert len(spent.inputs[0].witness) == len(witness_sizes(path, depth))
    for key in path.signers:
        assert not coin.accepts(coin.spend(path, without=key))
    if path.older is not None:
        assert not coin.accepts(coin.spend(path, sequence_less=1))
    if path.after is not None:
        assert not coin.accepts(coin.spend(path, lock_time_less=1))
    if path.preimages:
        assert not coin.accepts(coin.spend(path, no_preimage=True))
    witness = spent.inputs[0].witness
    for place in range(len(witness)):
        assert not coin.accepts(coin.with_witness(spent, witness[:place] + witness[place + 1 :]))


def spendable(node: Node) -> list[Path]:
    """The paths whose preimages the tests know."""
    return [path for path in paths(node) if all(any(one.digest) for one in path.preimages)]


@pytest.mark.parametrize(("context", "text"), SHAPES)
def test_every_path_of_the_templates_spends(context: Context, text: str):
    node = parse(text, context)
    depths = (0, 3) if context is Context.TAPSCRIPT else (0,)
    for depth in depths:
        coin = Coin.of(node, depth)
        for path in spendable(node):
            check_path(coin, path, depth)
            used, allowed = signature_budget(path, depth)
            assert context is Context.P2WSH or used <= allowed


@pytest.mark.parametrize("context", list(Context))
@settings(max_examples=60, deadline=None)
@given(text=policies(2))
def test_every_path_of_a_compiled_policy_spends(context: Context, text: str):
    try:
        node = compile_policy(text, context)
    except InsaneScript:
        return
    coin = Coin.of(node)
    for path in paths(node)[:6]:
        check_path(coin, path)


def test_any_signers_of_a_quorum_weigh_the_same():
    node = parse("thresh(3,pk(A),s:pk(B),s:pk(C),sln:older(12960))", Context.P2WSH)
    recovery = next(path for path in paths(node) if path.older)
    others = satisfy(node, Assets(keys={"A", "C"}, sequence=12960))
    assert recovery.quorums[0].keys == ("A", "B", "C")
    assert others is not None
    assert sorted(map(type, others), key=str) == sorted(map(type, recovery.witness), key=str)


@pytest.mark.parametrize(
    ("assets", "enough"),
    [
        (Assets(keys={"A", "B"}), True),
        (Assets(keys={"A", "B", "C", "D"}, sequence=4320), True),
        (Assets(keys={"A"}), False),
        (Assets(keys={"D"}, sequence=4320), True),
        (Assets(keys={"D"}, sequence=4319), False),
        (Assets(keys={"D"}, sequence=4320 | 1 << 22), False),
        (Assets(keys={"D"}, sequence=4320 | 1 << 31), False),
        (Assets(), False),
    ],
)
def test_satisfied_by_what_is_at_hand(assets: Assets, enough: bool):
    node = parse("or_d(multi(2,A,B,C),and_v(v:pkh(D),older(4320)))", Context.P2WSH)
    assert (satisfy(node, assets) is not None) == enough


def test_no_satisfaction_without_a_signature_or_that_others_can_change():
    free = parse("or_d(pk(A),older(5))", Context.P2WSH)
    assert satisfy(free, Assets(sequence=5)) is None
    either = parse("or_i(and_v(v:older(5),pk(A)),and_v(v:or_i(older(3),older(4)),pk(B)))", Context.P2WSH)
    assert satisfy(either, Assets(keys={"B"}, sequence=5)) is None


def test_a_witness_with_a_gap_names_what_is_missing():
    path = paths(parse("and_v(v:pkh(A),pk(B))", Context.P2WSH))[0]
    with pytest.raises(BitcoinMalformed, match="belongs to A"):
        fill(path.witness, {"B": b"\x30"}, {"A": bytes(33)}, {})


@pytest.mark.parametrize(
    ("known", "reason"), [({}, "public key of A"), ({"A": bytes(32)}, "has 32 bytes, wsh takes 33")]
)
def test_a_script_needs_every_key_in_its_size(known: dict[str, bytes], reason: str):
    with pytest.raises(BitcoinMalformed, match=reason):
        to_script(parse("pk(A)", Context.P2WSH), known)
