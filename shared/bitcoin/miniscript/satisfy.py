"""The smallest non-malleable satisfaction from what is at hand (algorithm of BIP-379)."""

from collections.abc import Container
from dataclasses import dataclass

from shared.bitcoin.miniscript.fragment import Context, Fragment
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.solve import Algebra, solve
from shared.bitcoin.miniscript.types import is_time
from shared.bitcoin.miniscript.witness import Item, NotPreimage, Preimage, Signature, item_size

_NO_RELATIVE_LOCK = 1 << 31
_LOCK_VALUE = 0xFFFF


@dataclass(frozen=True, slots=True)
class Assets:
    """What a spender has: signatures by key expression, preimages by digest, and the locks of the transaction."""

    keys: Container[str] = ()
    digests: Container[bytes] = ()
    sequence: int = 0xFFFFFFFF
    lock_time: int = 0

    def unlocks(self, node: Node) -> bool:
        """BIP-112 for older, BIP-65 for after; the transaction's version must be 2 or more."""
        if node.fragment is Fragment.AFTER:
            same = is_time(Fragment.AFTER, node.number) == is_time(Fragment.AFTER, self.lock_time)
            return same and self.lock_time >= node.number and self.sequence != 0xFFFFFFFF
        same = is_time(Fragment.OLDER, node.number) == is_time(Fragment.OLDER, self.sequence)
        reached = self.sequence & _LOCK_VALUE >= node.number & _LOCK_VALUE
        return same and reached and not self.sequence & _NO_RELATIVE_LOCK


@dataclass(frozen=True, slots=True)
class _Stack:
    items: tuple[Item, ...] = ()
    size: int = 0
    signed: bool = False
    malleable: bool = False


class _AtHand(Algebra[_Stack]):
    nothing = _Stack()

    def __init__(self, assets: Assets, context: Context) -> None:
        self._assets = assets
        self._context = context

    def element(self, item: Item) -> _Stack | None:
        if isinstance(item, Signature) and item.key not in self._assets.keys:
            return None
        if isinstance(item, Preimage) and item.digest not in self._assets.digests:
            return None
        size = 1 + item_size(item, self._context)
        return _Stack((item,), size, isinstance(item, Signature), isinstance(item, NotPreimage))

    def lock(self, node: Node) -> _Stack | None:
        return self.nothing if self._assets.unlocks(node) else None

    def joined(self, below: _Stack, above: _Stack) -> _Stack:
        return _Stack(
            below.items + above.items,
            below.size + above.size,
            below.signed or above.signed,
            below.malleable or above.malleable,
        )

    def chosen(self, one: _Stack, other: _Stack) -> _Stack:
        """What needs no signature must be used: anybody else could put it in the place of the other."""
        if one.signed != other.signed:
            return other if one.signed else one
        if not one.signed:
            smaller = min(one, other, key=lambda stack: stack.size)
            return _Stack(smaller.items, smaller.size, signed=False, malleable=True)
        return min(one, other, key=lambda stack: (stack.malleable, stack.size))


def satisfy(node: Node, assets: Assets) -> tuple[Item, ...] | None:
    """The witness without the script, bottom of the stack first; None where the assets do not suffice.

    None too where a third party could change the result, or where nobody signs it.
    """
    found = solve(node, _AtHand(assets, node.context)).sat
    return found.items if found is not None and found.signed and not found.malleable else None
