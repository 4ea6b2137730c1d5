"""The largest satisfaction of an expression, and the limits of consensus and relay policy that it must keep.

Limits: 201 counted opcodes (consensus, P2WSH), 3,600 bytes of script and 100 stack elements (policy, P2WSH), 1,000
elements on the stack while a tapscript runs (consensus), 400,000 weight units of a transaction (policy).
"""

from dataclasses import dataclass

from shared.bitcoin.miniscript.fragment import Context
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.solve import Algebra, Solutions, solve
from shared.bitcoin.miniscript.witness import Item, Zero, item_size

MAX_OPS = 201
MAX_P2WSH_SCRIPT = 3_600
MAX_P2WSH_ITEMS = 100
MAX_STACK_ITEMS = 1_000
MAX_TRANSACTION_WU = 400_000
# What a transaction weighs beside one script and its witness: one input, one output, the deepest control block.
_REST_OF_TRANSACTION_WU = 4 * (10 + 41 + 43) + 2 + 33 + 32 * 128 + 20


@dataclass(frozen=True, slots=True)
class Extent:
    """The most of each, not necessarily in the same satisfaction. `witness_bytes` includes the length prefixes."""

    items: int
    witness_bytes: int
    checked_keys: int


class _Largest(Algebra[Extent]):
    nothing = Extent(0, 0, 0)

    def __init__(self, context: Context) -> None:
        self._context = context

    def element(self, item: Item) -> Extent:
        checked_keys = item.checked_keys if isinstance(item, Zero) else 0
        return Extent(1, 1 + item_size(item, self._context), checked_keys)

    def lock(self, node: Node) -> Extent:  # noqa: ARG002
        return self.nothing

    def joined(self, below: Extent, above: Extent) -> Extent:
        return Extent(
            below.items + above.items,
            below.witness_bytes + above.witness_bytes,
            below.checked_keys + above.checked_keys,
        )

    def chosen(self, one: Extent, other: Extent) -> Extent:
        return Extent(
            max(one.items, other.items),
            max(one.witness_bytes, other.witness_bytes),
            max(one.checked_keys, other.checked_keys),
        )


def extents(node: Node) -> Solutions[Extent]:
    """The largest satisfaction and dissatisfaction, without the script itself."""
    return solve(node, _Largest(node.context))


def exceeded(node: Node, largest: Extent) -> list[str]:
    """One sentence for each limit that the script or its largest satisfaction breaks."""
    if node.context is Context.TAPSCRIPT:
        # Each level of nesting keeps at most two elements of its own, a leaf at most three.
        running = largest.items + 2 * node.depth + 3
        weight_wu = node.script_size + largest.witness_bytes + _REST_OF_TRANSACTION_WU
        limits = [
            (running, MAX_STACK_ITEMS, "elements on the stack while it runs"),
            (weight_wu, MAX_TRANSACTION_WU, "weight units in a transaction"),
        ]
    else:
        limits = [
            (node.script_size, MAX_P2WSH_SCRIPT, "bytes of script"),
            (node.static_ops + largest.checked_keys, MAX_OPS, "counted opcodes"),
            (largest.items, MAX_P2WSH_ITEMS, "witness elements"),
        ]
    return [f"it takes {found} {unit}, at most {most} are allowed" for found, most, unit in limits if found > most]
