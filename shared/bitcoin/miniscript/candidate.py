"""Scripts under comparison: a type, what they cost, and how to build them. Costs are bytes, of script or of witness."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from shared.bitcoin.miniscript.fragment import DIGEST_SIZES, KEY_FRAGMENTS, LOCKS, Context, Fragment
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.size import script_size
from shared.bitcoin.miniscript.types import Type, combined_type, has, leaf_type, letters, mismatch
from shared.bitcoin.miniscript.witness import PREIMAGE_SIZE

_KINDS = letters("BVKW")
_VIRTUES = letters("zondusfemk")
_VICES = letters("xghij")
_SOUND = letters("mk")
_VERIFY_COSTS = letters("x")
# BIP-379 calls d: a unit in tapscript, rust-miniscript does not; what is compiled is sane for both.
_UNIT = letters("u")
_PART = 1e-9
_EMPTY = 1
_ONE = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """`sat` is the expected witness when satisfied, `dsat` that when dissatisfied, infinite where that cannot be."""

    kind: Type
    size: int
    sat: float
    dsat: float
    fragment: Fragment
    subs: tuple["Candidate", ...] = ()
    number: int = 0
    keys: tuple[str, ...] = ()
    digest: bytes = b""
    parts: int = 1

    def build(self, context: Context) -> Node:
        subs = tuple(sub.build(context) for sub in self.subs)
        return Node(self.fragment, context, subs, self.keys, self.number, self.digest)


class Frontier:
    """Candidates for one policy of which none is better than another in type, cost and dissatisfaction alike.

    `reach` is how often the policy is fulfilled when coins are spent; it weighs `sat` against the bytes of script.
    """

    def __init__(self, context: Context, reach: float) -> None:
        self._context = context
        self._reach = reach
        self._found: list[Candidate] = []

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._found)

    def of_type(self, properties: str) -> list[Candidate]:
        wanted = letters(properties)
        return [one for one in self._found if has(one.kind, wanted)]

    def cost(self, one: Candidate) -> float:
        """Between equals, the one of fewer fragments is easier to read."""
        return one.size + self._reach * one.sat + _PART * one.parts

    def add(self, candidates: Iterable[Candidate | None]) -> None:
        """Each of them and everything that wrappers make of it; what is malleable or mixes locks is left out."""
        waiting = list(candidates)
        while waiting:
            one = waiting.pop()
            if one is not None and has(one.kind, _SOUND) and self._insert(one):
                waiting.extend(_wrapped(one, self._context))

    def _insert(self, one: Candidate) -> bool:
        if any(self._beats(other, one) for other in self._found):
            return False
        self._found = [other for other in self._found if not self._beats(one, other)]
        self._found.append(one)
        return True

    def _beats(self, one: Candidate, other: Candidate) -> bool:
        better = (one.kind ^ other.kind) & _KINDS == 0
        better = better and not other.kind & ~one.kind & _VIRTUES and not one.kind & ~other.kind & _VICES
        return better and one.dsat <= other.dsat and self.cost(one) <= self.cost(other)


def leaf(
    fragment: Fragment, context: Context, *, number: int = 0, keys: tuple[str, ...] = (), digest: bytes = b""
) -> Candidate:
    """A fragment without subexpressions."""
    signature = 1 + context.signature_size
    key = 1 + context.key_size
    sat, dsat = inf, inf
    match fragment:
        case Fragment.FALSE:
            dsat = 0
        case Fragment.PK_K:
            sat, dsat = signature, _EMPTY
        case Fragment.PK_H:
            sat, dsat = signature + key, _EMPTY + key
        case Fragment.MULTI:
            sat, dsat = _EMPTY + number * signature, _EMPTY * (number + 1)
        case Fragment.MULTI_A:
            sat, dsat = number * signature + len(keys) - number, _EMPTY * len(keys)
        case _ if fragment in DIGEST_SIZES:
            sat = dsat = 1 + PREIMAGE_SIZE
        case _:
            sat = 0 if fragment in LOCKS or fragment is Fragment.TRUE else inf
    size = script_size(fragment, context, number, len(keys), verify_costs=False)
    return Candidate(leaf_type(fragment, number), size, sat, dsat, fragment, (), number, keys, digest)


def joined(
    fragment: Fragment, context: Context, subs: tuple[Candidate, ...], sat: float, dsat: float, number: int = 0
) -> Candidate | None:
    """A fragment over others; None where their types do not fit."""
    kinds = tuple(sub.kind for sub in subs)
    if mismatch(fragment, kinds) is not None:
        return None
    kind = combined_type(fragment, kinds, number, context)
    if fragment is Fragment.D:
        kind &= ~_UNIT
    verify_costs = has(kinds[0], _VERIFY_COSTS)
    own = script_size(fragment, context, number, len(subs), verify_costs=verify_costs)
    size = own + sum(sub.size for sub in subs)
    sugar = fragment is Fragment.C and subs[0].fragment in KEY_FRAGMENTS  # written pk() and pkh()
    parts = sum(sub.parts for sub in subs) + (not sugar)
    return Candidate(kind, size, sat, dsat, fragment, subs, number, parts=parts)


def either(
    fragment: Fragment, context: Context, one: Candidate, other: Candidate, shares: tuple[float, float]
) -> Candidate | None:
    """or_b, or_c, or_d and or_i of the two in this order, each used as often as its share says."""
    first, second = shares
    if fragment is Fragment.OR_I:
        sat = first * (one.sat + _ONE) + second * (other.sat + _EMPTY)
        return joined(fragment, context, (one, other), sat, min(one.dsat + _ONE, other.dsat + _EMPTY))
    beside = other.dsat if fragment is Fragment.OR_B else 0
    sat = first * (one.sat + beside) + second * (other.sat + one.dsat)
    dsat = inf if fragment is Fragment.OR_C else one.dsat + other.dsat
    return joined(fragment, context, (one, other), sat, dsat)


def both(fragment: Fragment, context: Context, one: Candidate, other: Candidate) -> Candidate | None:
    """and_v, and_b, and and_n as andor."""
    sat = one.sat + other.sat
    if fragment is Fragment.ANDOR:
        return joined(fragment, context, (one, other, leaf(Fragment.FALSE, context)), sat, one.dsat)
    return joined(fragment, context, (one, other), sat, inf if fragment is Fragment.AND_V else one.dsat + other.dsat)


def _wrapped(one: Candidate, context: Context) -> Iterator[Candidate | None]:
    for fragment in (Fragment.C, Fragment.V, Fragment.A, Fragment.S, Fragment.N):
        yield joined(fragment, context, (one,), one.sat, inf if fragment is Fragment.V else one.dsat)
    yield joined(Fragment.D, context, (one,), one.sat + _ONE, _EMPTY)
    yield joined(Fragment.J, context, (one,), one.sat, _EMPTY)
    true, false = leaf(Fragment.TRUE, context), leaf(Fragment.FALSE, context)
    yield both(Fragment.AND_V, context, one, true)
    yield joined(Fragment.OR_I, context, (one, false), one.sat + _ONE, min(one.dsat + _ONE, _EMPTY))
    yield joined(Fragment.OR_I, context, (false, one), one.sat + _EMPTY, min(one.dsat + _EMPTY, _ONE))
