import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.miniscript import to_text
from shared.bitcoin.miniscript.script_tree import scripts_of
from shared.errors import BitcoinMalformed


def test_a_wsh_is_one_script():
    found = scripts_of("wsh(and_v(v:pk(A),older(9)))#abcdefgh")
    assert found.internal_key is None
    assert [(to_text(one.node), one.leaf, one.depth) for one in found.scripts] == [("and_v(v:pk(A),older(9))", None, 0)]


def test_leaves_are_counted_depth_first():
    found = scripts_of("tr(musig(A,B),{{pk(C),multi_a(1,D,E)},pk(F)})")
    assert found.internal_key == "musig(A,B)"
    assert [(to_text(one.node), one.leaf, one.depth) for one in found.scripts] == [
        ("pk(C)", 0, 2),
        ("multi_a(1,D,E)", 1, 2),
        ("pk(F)", 2, 1),
    ]
    assert scripts_of("tr(A)").scripts == ()


@given(st.recursive(st.integers(0, 99), lambda below: st.tuples(below, below), max_leaves=12))
def test_any_tree_is_read_as_it_was_written(tree):
    def written(branch):
        return f"pk(K{branch})" if isinstance(branch, int) else f"{{{written(branch[0])},{written(branch[1])}}}"

    def leaves(branch, depth=0):
        if isinstance(branch, int):
            return [(f"pk(K{branch})", depth)]
        return leaves(branch[0], depth + 1) + leaves(branch[1], depth + 1)

    found = scripts_of(f"tr(A,{written(tree)})").scripts
    assert [(to_text(one.node), one.depth) for one in found] == leaves(tree)


@pytest.mark.parametrize(
    "text", ["", "pkh(A)", "wsh(pk(A)", "sh(wsh(pk(A)))", "tr(A,{pk(B)})", "tr(A,{pk(B),pk(C)", "wsh(nothing(A))"]
)
def test_what_is_no_contract_is_malformed(text):
    with pytest.raises(BitcoinMalformed):
        scripts_of(text)
