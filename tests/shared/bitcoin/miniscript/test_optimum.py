"""No script that can be written at all for a policy of two conditions is cheaper than the compiled one."""

from itertools import product

import pytest

from shared.bitcoin.miniscript import Context, Node, compile_policy, expected_wu, faults, parse, parse_policy, to_text
from shared.bitcoin.miniscript.policy import Policy
from shared.errors import BitcoinMalformed
from tests.shared.bitcoin.miniscript.grounds import wrap
from tests.shared.bitcoin.miniscript.test_compile import least, likelihoods, ways_by, ways_of, weighed

JOINS = (
    "and_v({},{})", "and_b({},{})", "and_n({},{})", "or_b({},{})", "or_d({},{})", "or_i({},{})", "t:or_c({},{})",
    "or_c({},{})", "thresh(1,{},{})", "thresh(2,{},{})",
)  # fmt: skip


# With the smallest witnesses these policies have, a longer script costs more than the compiled ones do.
LONGEST = 73


def wrapped(texts: set[str], times: int) -> set[str]:
    """With up to so many wrappers, as far as the types allow."""
    found = set(texts)
    for _ in range(times):
        found |= {text for letter, inner in product("ascdvjntlu", found) if exists(text := wrap(letter, inner))}
    return found


def exists(text: str) -> bool:
    """Well typed, and not already dearer by its script alone."""
    try:
        return parse(text, Context.P2WSH).script_size <= LONGEST
    except BitcoinMalformed:
        return False


def leaves(condition: str) -> set[str]:
    return {f"pk_k({condition})", f"pk_h({condition})"} if len(condition) == 1 else {condition}


def every_script(one: str, other: str) -> list[Node]:
    """All expressions over both, with at most two wrappers around each and one around the whole, and multi()."""
    sides = [wrapped(leaves(side), 2) for side in (one, other)]
    orders = [*product(*sides), *product(*reversed(sides))]
    joined = {text for join, pair in product(JOINS, orders) if exists(text := join.format(*pair))}
    if len(other) == 1:
        joined |= {f"multi({needed},{one},{other})" for needed in (1, 2)}
    nodes = (parse(text, Context.P2WSH) for text in wrapped(joined, 1))
    return [node for node in nodes if node.is_type("Bms") and not faults(node)]


def smallest_witness(policy: Policy) -> int:
    """Bytes of the signatures alone."""
    return min(73 * len(signers) for signers, *_ in ways_of(policy))


@pytest.mark.parametrize(
    ("one", "other", "policies"),
    [
        ("A", "B", ("and(pk(A),pk(B))", "or(pk(A),pk(B))", "or(9@pk(A),pk(B))", "or(99@pk(A),pk(B))")),
        ("A", "older(144)", ("and(pk(A),older(144))",)),
    ],
)
def test_nothing_is_cheaper(one: str, other: str, policies: tuple[str, ...]):
    scripts = [(node, least(ways_by(node))) for node in every_script(one, other)]
    for text in policies:
        policy = parse_policy(text)
        meant = least(ways_of(policy))
        assert meant == set(likelihoods(policy))
        fitting = [node for node, ways in scripts if ways == meant]
        assert expected_wu(policy, Context.P2WSH) - smallest_witness(policy) <= LONGEST
        best = min(fitting, key=lambda node: weighed(policy, node))
        assert len(fitting) > 10
        assert expected_wu(policy, Context.P2WSH) == pytest.approx(weighed(policy, best)), to_text(best)
        assert weighed(policy, compile_policy(policy, Context.P2WSH)) == pytest.approx(weighed(policy, best))
