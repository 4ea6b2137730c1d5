"""The table of satisfactions and dissatisfactions of BIP-379, written once and read by several algebras.

An algebra says what a set of witness elements is worth (bytes, conditions, a stack); `solve` walks the tree. Only
canonical solutions are listed, which is all that a non-malleable script needs. None means: there is none.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.bitcoin.miniscript.fragment import LOCKS, MULTISIGS, Fragment
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.witness import Item, NotPreimage, One, Preimage, PublicKey, Signature, Zero

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Solutions(Generic[T]):
    sat: T | None
    dsat: T | None


class Algebra(ABC, Generic[T]):
    """What a domain of solutions must offer."""

    @property
    @abstractmethod
    def nothing(self) -> T:
        """The solution that takes no element."""

    @abstractmethod
    def element(self, item: Item) -> T | None: ...

    @abstractmethod
    def lock(self, node: Node) -> T | None:
        """An older or after that is satisfied."""

    @abstractmethod
    def joined(self, below: T, above: T) -> T:
        """One after the other; `above` lies nearer to the top of the stack."""

    @abstractmethod
    def chosen(self, one: T, other: T) -> T:
        """What two alternatives are worth together."""

    def both(self, below: T | None, above: T | None) -> T | None:
        return None if below is None or above is None else self.joined(below, above)

    def either(self, one: T | None, other: T | None) -> T | None:
        if one is None or other is None:
            return other if one is None else one
        return self.chosen(one, other)

    def threshold(self, needed: int, parts: Sequence[Solutions[T]], *, first_on_top: bool) -> T | None:
        """Exactly `needed` of the parts satisfied, all others dissatisfied."""
        rows: list[T | None] = [self.nothing] + [None] * needed
        for part in parts:
            for count in range(needed, -1, -1):
                skipped = self._stacked(rows[count], part.dsat, first_on_top)
                taken = self._stacked(rows[count - 1], part.sat, first_on_top) if count else None
                rows[count] = self.either(skipped, taken)
        return rows[needed]

    def _stacked(self, earlier: T | None, later: T | None, first_on_top: bool) -> T | None:
        return self.both(later, earlier) if first_on_top else self.both(earlier, later)


def solve(node: Node, algebra: Algebra[T]) -> Solutions[T]:
    """What satisfying and dissatisfying the expression takes."""
    subs = [solve(sub, algebra) for sub in node.subs]
    match len(subs):
        case _ if node.fragment is Fragment.THRESH:
            return Solutions(
                algebra.threshold(node.number, subs, first_on_top=True),
                algebra.threshold(0, subs, first_on_top=True),
            )
        case 0:
            return _leaf(node, algebra)
        case 1:
            return _wrapper(node.fragment, subs[0], algebra)
        case 2:
            return _binary(node.fragment, subs[0], subs[1], algebra)
        case _:
            return _andor(subs[0], subs[1], subs[2], algebra)


def _leaf(node: Node, a: Algebra[T]) -> Solutions[T]:
    if node.fragment in LOCKS:
        return Solutions(a.lock(node), None)
    if node.fragment in MULTISIGS:
        return _multisig(node, a)
    match node.fragment:
        case Fragment.FALSE:
            return Solutions(None, a.nothing)
        case Fragment.TRUE:
            return Solutions(a.nothing, None)
        case Fragment.PK_K:
            return Solutions(a.element(Signature(node.keys[0])), a.element(Zero()))
        case Fragment.PK_H:
            key = a.element(PublicKey(node.keys[0]))
            return Solutions(a.both(a.element(Signature(node.keys[0])), key), a.both(a.element(Zero()), key))
        case _:
            return Solutions(a.element(Preimage(node.fragment, node.digest)), a.element(NotPreimage()))


def _multisig(node: Node, a: Algebra[T]) -> Solutions[T]:
    signatures = [a.element(Signature(key)) for key in node.keys]
    zeros = node.number if node.fragment is Fragment.MULTI else len(node.keys)
    dsat: T | None = a.nothing
    for _ in range(zeros):
        dsat = a.both(dsat, a.element(Zero()))
    if node.fragment is Fragment.MULTI_A:
        parts = [Solutions(signature, a.element(Zero())) for signature in signatures]
        return Solutions(a.threshold(node.number, parts, first_on_top=True), dsat)
    dummy = a.element(Zero(checked_keys=len(node.keys)))
    parts = [Solutions(signature, a.nothing) for signature in signatures]
    return Solutions(a.both(dummy, a.threshold(node.number, parts, first_on_top=False)), a.both(dummy, dsat))


def _wrapper(fragment: Fragment, x: Solutions[T], a: Algebra[T]) -> Solutions[T]:
    match fragment:
        case Fragment.V:
            return Solutions(x.sat, None)
        case Fragment.D:
            return Solutions(a.both(x.sat, a.element(One())), a.element(Zero()))
        case Fragment.J:
            return Solutions(x.sat, a.element(Zero()))
        case _:
            return x


def _binary(fragment: Fragment, x: Solutions[T], z: Solutions[T], a: Algebra[T]) -> Solutions[T]:
    neither = a.both(z.dsat, x.dsat)
    match fragment:
        case Fragment.AND_V:
            return Solutions(a.both(z.sat, x.sat), None)
        case Fragment.AND_B:
            return Solutions(a.both(z.sat, x.sat), neither)
        case Fragment.OR_B:
            return Solutions(a.either(a.both(z.dsat, x.sat), a.both(z.sat, x.dsat)), neither)
        case Fragment.OR_C:
            return Solutions(a.either(x.sat, a.both(z.sat, x.dsat)), None)
        case Fragment.OR_D:
            return Solutions(a.either(x.sat, a.both(z.sat, x.dsat)), neither)
        case _:
            one, zero = a.element(One()), a.element(Zero())
            return Solutions(
                a.either(a.both(x.sat, one), a.both(z.sat, zero)), a.either(a.both(x.dsat, one), a.both(z.dsat, zero))
            )


def _andor(x: Solutions[T], y: Solutions[T], z: Solutions[T], a: Algebra[T]) -> Solutions[T]:
    return Solutions(a.either(a.both(y.sat, x.sat), a.both(z.sat, x.dsat)), a.both(z.dsat, x.dsat))
