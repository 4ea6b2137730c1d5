"""Compiled scripts mean what the policy says, are sane for three implementations, and cost what was expected."""

from itertools import combinations, product

import bdkpython
import pytest
from btclib_wallet.descriptors import miniscript as btclib_miniscript
from hypothesis import given, settings

from shared.bitcoin.miniscript import (
    NUMS_KEY,
    Context,
    Node,
    compile_policy,
    compile_tree,
    control_block_size,
    expected_wu,
    parse,
    parse_policy,
    paths,
    stack_wu,
    to_script,
    to_text,
)
from shared.bitcoin.miniscript.policy import And, Leaf, Or, Policy, Threshold
from shared.errors import BitcoinMalformed, InsaneScript
from tests.shared.bitcoin.miniscript.grounds import named_keys, policies, with_real_keys

HASH = "0000000000000000000000000000000000000000"
# Who signs, the relative and the absolute lock, the digests.
Way = tuple[frozenset[str], int, int, frozenset[bytes]]


def merged(*ways: Way) -> Way:
    signers, olders, afters, digests = zip(*ways, strict=True)
    return frozenset().union(*signers), max(olders), max(afters), frozenset().union(*digests)


def ways_of(policy: Policy) -> set[Way]:
    """Straight from the meaning of the words, by listing all of them."""
    match policy:
        case Leaf():
            older = policy.number if policy.fragment == "older" else 0
            after = policy.number if policy.fragment == "after" else 0
            digests = frozenset({policy.digest} - {b""})
            return {(frozenset({policy.key} - {""}), older, after, digests)}
        case Or():
            return set().union(*map(ways_of, policy.subs))
        case And():
            return {merged(*choice) for choice in product(*map(ways_of, policy.subs))}
        case Threshold():
            chosen = combinations(policy.subs, policy.needed)
            return {merged(*choice) for subs in chosen for choice in product(*map(ways_of, subs))}


def ways_by(node: Node) -> set[Way]:
    found = set()
    for path in paths(node):
        digests = frozenset(preimage.digest for preimage in path.preimages)
        for signers in product(*(combinations(quorum.keys, quorum.needed) for quorum in path.quorums)):
            found.add((frozenset().union(*signers), path.older or 0, path.after or 0, digests))
    return found


def least(ways: set[Way]) -> set[Way]:
    def easier(one: Way, other: Way) -> bool:
        return one[0] <= other[0] and one[1] <= other[1] and one[2] <= other[2] and one[3] <= other[3]

    return {way for way in ways if not any(easier(other, way) and other != way for other in ways)}


def sane_by_both(node: Node) -> bool:
    inner = with_real_keys(to_text(node), node.context)
    tapscript = node.context is Context.TAPSCRIPT
    context = btclib_miniscript.TAPSCRIPT if tapscript else btclib_miniscript.P2WSH
    other = btclib_miniscript.parse(inner, context)
    descriptor = f"tr({NUMS_KEY},{inner})" if tapscript else f"wsh({inner})"
    bdkpython.Descriptor(descriptor, bdkpython.NetworkKind.TEST).sanity_check()
    return other.is_sane() and other.script() == to_script(node, named_keys(node))


@pytest.mark.parametrize("context", list(Context))
def test_a_compiled_policy_is_sane_and_means_the_same(context: Context):
    compiled = 0

    @settings(max_examples=60, deadline=None)
    @given(policies())
    def check(text: str) -> None:
        nonlocal compiled
        policy = parse_policy(text)
        assert parse_policy(str(policy)) == policy
        try:
            node = compile_policy(policy, context)
        except InsaneScript:
            return
        compiled += 1
        assert sane_by_both(node)
        assert least(ways_by(node)) == least(ways_of(policy))

    check()
    assert compiled > 15


@settings(max_examples=40, deadline=None)
@given(policies())
def test_a_tree_means_the_same(text: str):
    policy = parse_policy(text)
    try:
        tree = compile_tree(policy)
    except InsaneScript:
        return
    ways = {(frozenset({tree.key}), 0, 0, frozenset())} if tree.key else set()
    for leaf in tree.leaves:
        ways |= ways_by(leaf.node)
    assert least(ways) == least(ways_of(policy))
    bdkpython.Descriptor(with_real_keys(str(tree), Context.TAPSCRIPT), bdkpython.NetworkKind.TEST).sanity_check()


@pytest.mark.parametrize(
    ("policy", "known"),
    [
        # Published by the authors of miniscript (bitcoin.sipa.be/miniscript) as the best for these policies.
        ("pk(A)", "pk(A)"),
        ("or(99@pk(A),pk(B))", "or_d(pk(A),pkh(B))"),
        ("and(pk(A),or(99@pk(B),older(12960)))", "and_v(v:pk(A),or_d(pk(B),older(12960)))"),
        ("thresh(3,pk(A),pk(B),pk(C),older(12960))", "thresh(3,pk(A),s:pk(B),s:pk(C),sln:older(12960))"),
        ("or(pk(A),and(pk(B),older(1008)))", "andor(pk(B),older(1008),pk(A))"),
        (
            f"or(pk(A),and(pk(B),or(pk(C),hash160({HASH}))))",
            f"t:or_c(pk(A),and_v(v:pk(B),or_c(pk(C),v:hash160({HASH}))))",
        ),
        (
            f"or(pk(A),and(pk(B),or(and(pk(C),hash160({HASH})),older(1008))))",
            f"andor(pk(B),or_i(and_v(v:pkh(C),hash160({HASH})),older(1008)),pk(A))",
        ),
        # Templates written by hand.
        (
            "or(99@thresh(2,pk(A),pk(B),pk(C)),and(pk(D),older(4320)))",
            "or_d(multi(2,A,B,C),and_v(v:pkh(D),older(4320)))",
        ),
    ],
)
def test_no_dearer_than_what_is_known(policy: str, known: str):
    node = compile_policy(policy, Context.P2WSH)
    assert expected_wu(policy, Context.P2WSH) <= weighed(parse_policy(policy), parse(known, Context.P2WSH)) + 1e-9
    assert weighed(parse_policy(policy), node) == pytest.approx(expected_wu(policy, Context.P2WSH))


@settings(max_examples=40, deadline=None)
@given(policies(2))
def test_the_expected_weight_is_that_of_the_paths(text: str):
    policy = parse_policy(text)
    try:
        node = compile_policy(policy, Context.P2WSH)
    except InsaneScript:
        return
    shares = likelihoods(policy)
    if set(shares) != least(set(shares)):
        return  # a way that is never the cheapest: odds and paths do not match one to one
    assert weighed(policy, node) == pytest.approx(expected_wu(policy, Context.P2WSH), rel=1e-4)


def likelihoods(policy: Policy) -> dict[Way, float]:
    match policy:
        case Leaf():
            return dict.fromkeys(ways_of(policy), 1.0)
        case Or():
            found: dict[Way, float] = {}
            for share, sub in zip(policy.shares, policy.subs, strict=True):
                for way, inner in likelihoods(sub).items():
                    found[way] = found.get(way, 0) + share * inner
            return found
        case And():
            return _together([policy.subs])
        case Threshold():
            return _together(list(combinations(policy.subs, policy.needed)))


def _together(choices: list[tuple[Policy, ...]]) -> dict[Way, float]:
    found: dict[Way, float] = {}
    for subs in choices:
        for pairs in product(*(likelihoods(sub).items() for sub in subs)):
            share = 1 / len(choices)
            for _, inner in pairs:
                share *= inner
            way = merged(*(way for way, _ in pairs))
            found[way] = found.get(way, 0) + share
    return found


def weighed(policy: Policy, node: Node) -> float:
    """Script and expected witness, from the paths and the odds."""
    sizes: dict[Way, int] = {}
    for path in paths(node):
        digests = frozenset(preimage.digest for preimage in path.preimages)
        for signers in product(*(combinations(quorum.keys, quorum.needed) for quorum in path.quorums)):
            way = frozenset().union(*signers), path.older or 0, path.after or 0, digests
            sizes[way] = stack_wu(path.witness_sizes) - 1
    return node.script_size + sum(share * sizes[way] for way, share in likelihoods(policy).items())


def test_a_decaying_quorum_is_sane_for_both_in_tapscript_too():
    # Cheaper by a byte would be sdv:older(), which only one of the two knows to leave exactly 1.
    assert sane_by_both(compile_policy("thresh(3,pk(A),pk(B),pk(C),older(12960))", Context.TAPSCRIPT))


def test_the_likeliest_key_signs_alone_and_likely_leaves_lie_shallow():
    rare = "or(5@and(pk(C),older(20)),5@or(9@and(pk(D),older(30)),1@and(pk(E),older(40))))"
    tree = compile_tree(f"or(50@pk(A),50@or(40@and(pk(B),older(10)),10@{rare}))")
    assert tree.key == "A"
    assert {str(leaf.node.subs[0].subs[0].subs[0].keys[0]): leaf.depth for leaf in tree.leaves} == {
        "B": 1,
        "C": 2,
        "D": 3,
        "E": 3,
    }
    assert sum(leaf.probability for leaf in tree.leaves) == pytest.approx(0.5)


def test_without_a_single_key_nobody_signs_alone():
    tree = compile_tree("thresh(2,pk(A),pk(B),pk(C))")
    assert tree.key is None
    assert str(tree) == f"tr({NUMS_KEY},multi_a(2,A,B,C))"
    assert control_block_size(tree.leaves[0].depth) == 33


def test_a_single_key_needs_no_tree():
    assert str(compile_tree("pk(A)")) == "tr(A)"


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("older(10)", "without any signature"),
        ("or(pk(A),older(10))", "without any signature"),
        ("thresh(2,pk(A),older(5),older(6))", "without any signature"),
        ("and(pk(A),pk(A))", "more than once"),
        ("and(pk(A),or(older(5),older(6)))", "malleable"),
        ("and(pk(A),and(after(5),after(500000001)))", "height and a time lock"),
        ("and(pk(A),older(65536))", "does not lock"),
    ],
)
def test_reasons_against_a_policy(policy: str, reason: str):
    with pytest.raises(InsaneScript, match=reason):
        compile_policy(policy, Context.P2WSH)


@pytest.mark.parametrize(
    "policy",
    [
        "", "pk()", "pk(A", "pk(A))", "and(pk(A))", "and(pk(A),pk(B),pk(C))", "or(0@pk(A),pk(B))", "2@pk(A)",
        "and(2@pk(A),pk(B))", "thresh(0,pk(A))", "thresh(3,pk(A),pk(B))", "older(0)", "after(2147483648)", "sha256(00)",
        "multi(1,A)", "thresh(2,2@pk(A),pk(B))", "and(" * 40 + "pk(A)",
    ],
)  # fmt: skip
def test_malformed_policies_are_refused(policy: str):
    with pytest.raises(BitcoinMalformed):
        parse_policy(policy)
