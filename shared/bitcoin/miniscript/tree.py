"""From a policy to a Taproot output (BIP-341): the likeliest single key signs alone, everything else is a leaf.

Leaves lie as Huffman puts them, likely ones shallow: a level costs 32 bytes of control block.
"""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from shared.bitcoin.miniscript.compile import alternatives, compile_policy, require_sound
from shared.bitcoin.miniscript.fragment import Context
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.policy import Leaf, Policy, parse_policy
from shared.bitcoin.miniscript.text import to_text

NUMS_KEY = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
"""BIP-341's point H: nobody knows its secret, so that there is no key path."""


@dataclass(frozen=True, slots=True)
class TreeLeaf:
    """`probability` is the share of all spends, the key path's included."""

    node: Node
    depth: int
    probability: float


@dataclass(frozen=True, slots=True)
class Tree:
    """`key` is None where no key signs alone. `leaves` stand in the order of `tree_text`, empty without leaves."""

    key: str | None
    leaves: tuple[TreeLeaf, ...]
    tree_text: str

    def __str__(self) -> str:
        """The descriptor, without checksum."""
        key = self.key or NUMS_KEY
        return f"tr({key},{self.tree_text})" if self.leaves else f"tr({key})"


def compile_tree(policy: Policy | str) -> Tree:
    """InsaneScript as `compile_policy`."""
    wanted = parse_policy(policy) if isinstance(policy, str) else policy
    require_sound(wanted)
    choices = alternatives(wanted)
    singles = [(share, one.key) for share, one in choices if isinstance(one, Leaf)]
    if not singles:
        return _tree(None, choices)
    key = max(singles, key=lambda pair: pair[0])[1]
    return _tree(key, [(share, one) for share, one in choices if not (isinstance(one, Leaf) and one.key == key)])


def _tree(key: str | None, choices: list[tuple[float, Policy]]) -> Tree:
    leaves = [TreeLeaf(compile_policy(one, Context.TAPSCRIPT), 0, share) for share, one in choices]
    if not leaves:
        return Tree(key, (), "")
    heap: list[tuple[float, int, tuple[TreeLeaf, ...], str]] = [
        (leaf.probability, order, (leaf,), to_text(leaf.node)) for order, leaf in enumerate(leaves)
    ]
    heapify(heap)
    order = len(heap)
    while len(heap) > 1:
        rarer, _, right, right_text = heappop(heap)
        oftener, _, left, left_text = heappop(heap)
        deeper = tuple(TreeLeaf(leaf.node, leaf.depth + 1, leaf.probability) for leaf in (*left, *right))
        heappush(heap, (rarer + oftener, order, deeper, f"{{{left_text},{right_text}}}"))
        order += 1
    return Tree(key, heap[0][2], heap[0][3])
