"""Is a well-typed expression also safe to hold money? Every reason why not, in a sentence."""

from collections import Counter
from collections.abc import Iterator

from shared.bitcoin.miniscript.fragment import Fragment
from shared.bitcoin.miniscript.limits import exceeded, extents
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.text import to_text
from shared.errors import InsaneScript

# BIP-68 reads these bits of a relative lock; all others mean nothing.
_SEQUENCE_BITS = 0x0040FFFF


def faults(node: Node) -> tuple[str, ...]:
    """Empty for a sane script; the rules are those of Bitcoin Core's IsSane, and two of ours.

    Ours: no part that nobody can ever fulfil (but for the 0 of l:, u: and and_n), and no relative lock that is zero or
    sets bits that consensus ignores.
    """
    if not node.is_type("B"):
        return (f"the whole is no condition that leaves true or false (type B): {to_text(node)}",)
    found = [f"{to_text(lock)} does not lock: BIP-68 reads only 16 bits and the flag for time" for lock in _idle(node)]
    found += [f"nobody can ever fulfil {to_text(part)}" for part in _dead(node)]
    largest = extents(node).sat
    if largest is not None:
        found += exceeded(node, largest)
    if not node.is_type("m"):
        found.append(f"a third party can change the witness (malleable): {to_text(_deepest(node, 'm'))}")
    if not node.is_type("k"):
        found.append(f"one path needs a height and a time lock at once: {to_text(_deepest(node, 'k'))}")
    if not node.is_type("s"):
        found.append("it can be spent without any signature")
    found += [f"the key {key} stands in it {times} times" for key, times in Counter(keys(node)).items() if times > 1]
    return tuple(found)


def require_sane(node: Node) -> None:
    """InsaneScript with every reason."""
    found = faults(node)
    if found:
        raise InsaneScript("; ".join(found))


def keys(node: Node) -> Iterator[str]:
    """Every key expression in script order, repeated ones repeatedly."""
    yield from node.keys
    for sub in node.subs:
        yield from keys(sub)


def _deepest(node: Node, lacking: str) -> Node:
    """The innermost expression that lacks the property although all its arguments have it."""
    for sub in node.subs:
        if not sub.is_type(lacking):
            return _deepest(sub, lacking)
    return node


def _dead(node: Node) -> Iterator[Node]:
    """The innermost parts without any satisfaction."""
    parts = [sub for place, sub in enumerate(node.subs) if not _is_sugar(node.fragment, place, sub)]
    inner = [dead for sub in parts for dead in _dead(sub)]
    if inner:
        yield from inner
    elif (node.subs or node.fragment is Fragment.FALSE) and extents(node).sat is None:
        yield node


def _is_sugar(fragment: Fragment, place: int, sub: Node) -> bool:
    return sub.fragment is Fragment.FALSE and (fragment is Fragment.OR_I or (fragment is Fragment.ANDOR and place == 2))


def _idle(node: Node) -> Iterator[Node]:
    if node.fragment is Fragment.OLDER and (node.number & ~_SEQUENCE_BITS or not node.number & 0xFFFF):
        yield node
    for sub in node.subs:
        yield from _idle(sub)
