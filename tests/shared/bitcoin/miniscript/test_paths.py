import pytest

from shared.bitcoin.miniscript import (
    Context,
    Quorum,
    control_block_size,
    input_wu,
    key_path_input_wu,
    parse,
    paths,
    relay_vsize_vb,
    stack_wu,
)
from shared.errors import BitcoinMalformed, InsaneScript


def told(text: str, context: Context = Context.P2WSH) -> list[tuple[tuple[Quorum, ...], int | None, int | None]]:
    return [(path.quorums, path.older, path.after) for path in paths(parse(text, context))]


def test_a_multisignature_is_one_path():
    assert told("multi(2,A,B,C)") == [((Quorum(2, ("A", "B", "C")),), None, None)]
    assert told("multi_a(2,A,B,C)", Context.TAPSCRIPT) == [((Quorum(2, ("A", "B", "C")),), None, None)]


def test_keys_that_must_all_sign_are_one_quorum():
    assert told("and_v(v:pk(A),and_v(v:pk(B),multi(1,C,D)))") == [
        ((Quorum(2, ("A", "B")), Quorum(1, ("C", "D"))), None, None)
    ]


def test_a_decaying_quorum_needs_fewer_later():
    assert told("thresh(3,pk(A),s:pk(B),s:pk(C),sln:older(12960))") == [
        ((Quorum(2, ("A", "B", "C")),), 12960, None),
        ((Quorum(3, ("A", "B", "C")),), None, None),
    ]


def test_the_later_of_two_locks_counts():
    assert told("and_v(v:pk(A),and_v(v:older(10),and_v(v:older(20),after(500))))") == [
        ((Quorum(1, ("A",)),), 20, 500),
    ]


def test_a_way_that_asks_for_more_than_another_is_no_path():
    # Whoever waits 20 blocks and has B need not have it: after 10 blocks the coin moves without.
    assert told("and_v(v:pk(A),andor(pk(B),older(20),older(10)))") == [((Quorum(1, ("A",)),), 10, None)]


def test_the_cheapest_path_stands_first():
    weights = [input_wu(path) for path in paths(parse("or_d(multi(2,A,B,C),and_v(v:pk(D),older(9)))", Context.P2WSH))]
    assert weights == sorted(weights)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("or_d(pk(A),older(5))", "without any signature"),
        ("and_v(v:pk(A),and_v(v:after(5),after(500000001)))", "height and a time lock"),
        ("and_v(v:pk(A),or_i(older(5),older(6)))", "malleable"),
        ("and_v(v:pk(A),pk(A))", "stands in it 2 times"),
        ("and_v(v:pk(A),older(65536))", "does not lock"),
        ("and_v(v:pk(A),older(4194304))", "does not lock"),
        ("and_b(pk(A),a:0)", "nobody can ever fulfil 0"),
        ("or_d(pk(A),and_v(v:pk(B),or_i(0,0)))", r"nobody can ever fulfil l:0"),
        ("and_v(v:pk(A),v:pk(B))", "type B"),
        ("and_b(" * 50 + "pk(Z)" + "".join(f",s:pk(K{n}))" for n in range(50)), None),
        ("and_b(" * 101 + "pk(Z)" + "".join(f",s:pk(K{n}))" for n in range(101)), "at most"),
        ("multi(20," + ",".join(f"K{n}" for n in range(20)) + ")", None),
    ],
)
def test_reasons_against_a_script(text: str, reason: str | None):
    node = parse(text, Context.P2WSH)
    if reason is None:
        assert paths(node)
        return
    with pytest.raises(InsaneScript, match=reason):
        paths(node)


def test_too_many_ways_are_refused():
    choices = [f"or_i(pk(A{place}),pk(B{place}))" for place in range(9)]
    text = "".join(f"and_v(v:{choice}," for choice in choices[:-1]) + choices[-1] + ")" * 8
    with pytest.raises(InsaneScript, match="more than 256 ways"):
        paths(parse(text, Context.P2WSH))


@pytest.mark.parametrize(
    "text",
    [
        "", "pk(A", "pk(A))", "pk()", "pk(A,B)", "older(01)", "older(-1)", "older(99999999999)", "multi(2,A)",
        "multi(1)", "multi_a(1,A)", "sha256(00)", "hash160(ABCDEF0000000000000000000000000000000000)", "xx:pk(A)",
        "foo(A)", "pk(A) ", " pk(A)", "and_v(v:pk(A))", "0()", "v:" * 200 + "pk(A)", "and_v(v:pk(A)," * 150,
        "multi(1," + ",".join(f"K{n}" for n in range(21)) + ")", "t" * 300 + ":v:1",
    ],
)  # fmt: skip
def test_malformed_text_is_refused(text: str):
    with pytest.raises(BitcoinMalformed):
        parse(text, Context.P2WSH)


def test_weights():
    assert key_path_input_wu() == 4 * 41 + 1 + 1 + 64
    assert key_path_input_wu(65) == key_path_input_wu() + 1
    assert [control_block_size(depth) for depth in (0, 1, 128)] == [33, 65, 33 + 32 * 128]
    assert stack_wu((0, 252, 253)) == 1 + 1 + 253 + 256
    assert relay_vsize_vb(401, 0) == 101
    assert relay_vsize_vb(400, 21) == 105
    with pytest.raises(BitcoinMalformed):
        control_block_size(129)
