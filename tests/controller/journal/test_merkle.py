"""Against the definition of RFC 6962, written down again naively."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.journal import merkle
from controller.journal.merkle import NodeAt, Tree


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def leaves_of(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


def grown(count: int) -> tuple[Tree, dict[NodeAt, bytes]]:
    tree, nodes = Tree(), {}
    for leaf in leaves_of(count):
        nodes.update(tree.append(leaf))
    return tree, nodes


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100])
def test_root_is_that_of_the_definition(count: int) -> None:
    tree, _ = grown(count)
    assert tree.root == naive_root(leaves_of(count))
    assert Tree(tree.size, tree.peaks).root == tree.root


def test_root_of_the_known_vector() -> None:
    """The seven-leaf test vector of certificate transparency logs."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    tree = Tree()
    for text in inputs:
        list(tree.append(bytes.fromhex(text)))
    assert tree.root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(st.integers(1, 130), st.data())
def test_every_leaf_has_a_proof_that_only_it_passes(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree, nodes = grown(size)
    path = merkle.proof(merkle.inclusion_plan(index, size), nodes.__getitem__)
    leaf = nodes[NodeAt(0, index)]
    assert merkle.includes(tree.root, leaf, index, size, path)
    assert not merkle.includes(tree.root, merkle.leaf_hash(b"other"), index, size, path)
    assert not merkle.includes(tree.root, leaf, index, size, (*path, leaf))
    if path:
        assert not merkle.includes(tree.root, leaf, index, size, path[:-1])
    assert not merkle.includes(tree.root, leaf, size, size, path)


@given(st.integers(1, 130), st.data())
def test_every_prefix_is_consistent(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    old, _ = grown(first)
    new, nodes = grown(second)
    path = merkle.proof(merkle.consistency_plan(first, second), nodes.__getitem__)
    assert merkle.extends((first, old.root), (second, new.root), path)
    assert not merkle.extends((first, merkle.leaf_hash(b"other")), (second, new.root), path)
    if first != second:
        assert not merkle.extends((first, old.root), (second, merkle.leaf_hash(b"other")), path)
        assert not merkle.extends((first, old.root), (second, new.root), path[:-1])
        assert not merkle.extends((first, old.root), (second, new.root), (*path, old.root))


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.lists(st.binary(min_size=32, max_size=32), max_size=50))
def test_hostile_proofs_are_refused_not_raised(index: int, size: int, path: list[bytes]) -> None:
    assert not merkle.includes(b"\x00" * 32, b"\x01" * 32, index, size, path)
    assert not merkle.extends((index, b"\x00" * 32), (size, b"\x01" * 32), path)


def test_plans_refuse_what_is_not_in_the_tree() -> None:
    with pytest.raises(ValueError, match="leaf 3 is not in a tree of 3"):
        merkle.inclusion_plan(3, 3)
    with pytest.raises(ValueError, match="0 < first <= second"):
        merkle.consistency_plan(0, 3)
    with pytest.raises(ValueError, match="has 2 peaks, not 1"):
        Tree(3, [b"\x00" * 32])
