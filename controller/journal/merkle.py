"""The Merkle tree of RFC 6962 (section 2.1) over the events' digests.

A tree of n leaves is kept as its peaks: the roots of the complete subtrees that the binary form of n names, largest
first. Complete subtrees are named (level, number): level 0 are leaves, node (l, i) covers leaves i·2^l onward.
A proof is planned in such numbers first, so that a store can fetch them all at once.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

EMPTY_ROOT = hashlib.sha256(b"").digest()


class NodeAt(NamedTuple):
    level: int
    number: int


Plan = tuple[tuple[NodeAt, ...], ...]
"""For each hash of a proof the complete subtrees, left to right, that fold into it."""


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over adjacent complete subtrees, largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


class Tree:
    """Grows leaf by leaf in O(1) amortised hashes and O(log n) memory."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size.bit_count() != len(peaks):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        return tuple(self._peaks)

    @property
    def root(self) -> bytes:
        return fold(self._peaks)

    def append(self, data: bytes) -> Iterator[tuple[NodeAt, bytes]]:
        """Add a leaf; yields every subtree that it completes, the leaf itself first. Exhaust the iterator."""
        level, number, node = 0, self.size, leaf_hash(data)
        yield NodeAt(level, number), node
        while number & 1:
            level, number, node = level + 1, number >> 1, node_hash(self._peaks.pop(), node)
            yield NodeAt(level, number), node
        self._peaks.append(node)
        self.size += 1


def subtrees(start: int, end: int) -> tuple[NodeAt, ...]:
    """Leaves [start, end) as complete subtrees, left to right; `start` must be aligned as RFC 6962 splits ranges."""
    found: list[NodeAt] = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append(NodeAt(level, start >> level))
        start += 1 << level
    return tuple(found)


def inclusion_plan(index: int, size: int) -> Plan:
    """The audit path of leaf `index` in the tree of `size` leaves, leaf end first (RFC 6962 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    path: list[tuple[NodeAt, ...]] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _half(end - start)
        if index < split:
            path.append(subtrees(split, end))
            end = split
        else:
            path.append(subtrees(start, split))
            start = split
    return tuple(reversed(path))


def consistency_plan(first: int, second: int) -> Plan:
    """What shows that the tree of `first` leaves is a prefix of that of `second` (RFC 6962 2.1.2)."""
    if not 0 < first <= second:
        raise ValueError(f"no proof between {first} and {second} leaves; give 0 < first <= second")
    path: list[tuple[NodeAt, ...]] = []
    start, end, whole = 0, second, True
    while first != end:
        split = start + _half(end - start)
        if first <= split:
            path.append(subtrees(split, end))
            end = split
        else:
            path.append(subtrees(start, split))
            start, whole = split, False
    if not whole:
        path.append(subtrees(start, end))
    return tuple(reversed(path))


def proof(plan: Plan, node: Callable[[NodeAt], bytes]) -> tuple[bytes, ...]:
    """The hashes of a planned proof."""
    return tuple(fold([node(at) for at in group]) for group in plan)


def includes(root: bytes, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    """Does `path` lead from the leaf hash `leaf` at `index` to `root`? Never raises (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and node == root


def extends(old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]) -> bool:
    """Is the tree `old` (size, root) a prefix of `new`? Never raises (RFC 9162 2.1.4.2)."""
    (first, old_root), (second, new_root) = old, new
    if first == second:
        return not path and old_root == new_root
    if not 0 < first < second or not path:
        return False
    hashes = list(path)
    if first.bit_count() == 1:
        hashes.insert(0, old_root)
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = new_node = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_node == old_root and new_node == new_root


def _half(count: int) -> int:
    """The largest power of two below `count` (which is at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)
