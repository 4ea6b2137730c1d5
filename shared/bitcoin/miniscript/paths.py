"""Every way to spend a sane script: who must sign, after which locks, with which preimages, and the largest witness.

Keys that are alike for the script are one quorum, so that a multisignature is one path and not one per combination.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from shared.bitcoin.miniscript.fragment import Context, Fragment
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.sanity import require_sane
from shared.bitcoin.miniscript.satisfy import Assets, satisfy
from shared.bitcoin.miniscript.solve import Algebra, Solutions, solve
from shared.bitcoin.miniscript.types import is_time
from shared.bitcoin.miniscript.witness import Item, NotPreimage, Preimage, Signature, Zero, item_size
from shared.errors import InsaneScript

MAX_PATHS = 256


@dataclass(frozen=True, slots=True)
class Quorum:
    """`needed` of these keys sign; which ones makes no difference to the size of the witness."""

    needed: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """One way to spend. `older` and `after` are what nSequence and nLockTime must reach (BIP-68, BIP-65 encoding).

    `witness` holds the elements below the script, bottom first, with the first keys of each quorum signing.
    `ops` counts opcodes as BIP-141 scripts do; tapscript has no such limit.
    """

    quorums: tuple[Quorum, ...]
    older: int | None
    after: int | None
    preimages: tuple[Preimage, ...]
    witness: tuple[Item, ...]
    context: Context
    script_size: int
    ops: int

    @property
    def keys(self) -> frozenset[str]:
        """Every key that may sign on this path."""
        return frozenset(chain.from_iterable(quorum.keys for quorum in self.quorums))

    @property
    def signers(self) -> tuple[str, ...]:
        """The keys whose signatures stand in `witness`."""
        return _first_signers(self.quorums)

    @property
    def signatures(self) -> int:
        return sum(quorum.needed for quorum in self.quorums)

    @property
    def witness_sizes(self) -> tuple[int, ...]:
        """Bytes of each element at most, in order, without the script."""
        return tuple(item_size(item, self.context) for item in self.witness)


def paths(node: Node) -> tuple[Path, ...]:
    """The cheapest first. InsaneScript for a script that is not sane, or that has more than MAX_PATHS ways."""
    require_sane(node)
    found = solve(node, _Conditions(node.context)).sat or {}
    wanted = [one for one in found if not any(_covers(other, one) for other in found if other is not one)]
    return tuple(_path(node, condition) for condition in sorted(wanted, key=lambda one: found[one]))


@dataclass(frozen=True, slots=True)
class _Condition:
    quorums: tuple[Quorum, ...] = ()
    older: int | None = None
    after: int | None = None
    preimages: frozenset[Preimage] = frozenset()


# Each condition and the bytes of its smallest witness.
_Ways = dict[_Condition, int]
_FREE = _Condition()


class _Conditions(Algebra[_Ways]):
    nothing: _Ways = {_FREE: 0}  # noqa: RUF012

    def __init__(self, context: Context) -> None:
        self._context = context

    def element(self, item: Item) -> _Ways | None:
        size = 1 + item_size(item, self._context)
        match item:
            case NotPreimage():
                return None
            case Signature(key):
                return {_Condition(quorums=(Quorum(1, (key,)),)): size}
            case Preimage():
                return {_Condition(preimages=frozenset({item})): size}
            case _:
                return {_FREE: size}

    def lock(self, node: Node) -> _Ways:
        held = _Condition(older=node.number) if node.fragment is Fragment.OLDER else _Condition(after=node.number)
        return {held: 0}

    def joined(self, below: _Ways, above: _Ways) -> _Ways:
        if len(below) * len(above) > MAX_PATHS:
            raise InsaneScript(f"it can be spent in more than {MAX_PATHS} ways, which nobody can oversee")
        ways: _Ways = {}
        for upper, upper_size in above.items():
            for lower, lower_size in below.items():
                _add(ways, _merged(upper, lower), upper_size + lower_size)
        return ways

    def chosen(self, one: _Ways, other: _Ways) -> _Ways:
        ways = dict(one)
        for condition, size in other.items():
            _add(ways, condition, size)
        return ways

    def threshold(self, needed: int, parts: Sequence[Solutions[_Ways]], *, first_on_top: bool) -> _Ways | None:
        """Single keys of the same cost are counted, not listed."""
        alike: dict[tuple[int, int], list[str]] = {}
        rest: list[Solutions[_Ways]] = []
        for part in parts:
            single = _single_key(part)
            if single is None:
                rest.append(part)
            else:
                key, costs = single
                alike.setdefault(costs, []).append(key)
        total: _Ways | None = None
        groups = [_Group(tuple(names), *costs) for costs, names in alike.items()]
        for counts in _counts([len(group.keys) for group in groups], needed, len(rest)):
            way: _Ways | None = Algebra.threshold(self, needed - sum(counts), rest, first_on_top=first_on_top)
            for group, count in zip(groups, counts, strict=True):
                way = self.both(way, group.ways(count))
            total = self.either(total, way)
        return total


@dataclass(frozen=True, slots=True)
class _Group:
    keys: tuple[str, ...]
    sat_size: int
    dsat_size: int

    def ways(self, count: int) -> _Ways:
        condition = _Condition(quorums=(Quorum(count, self.keys),)) if count else _FREE
        return {condition: count * self.sat_size + (len(self.keys) - count) * self.dsat_size}


def _single_key(part: Solutions[_Ways]) -> tuple[str, tuple[int, int]] | None:
    """The key and its sizes, where the part asks for one signature and nothing else."""
    if part.sat is None or len(part.sat) != 1 or part.dsat is None:
        return None
    condition, size = next(iter(part.sat.items()))
    alone = condition == _Condition(quorums=condition.quorums) and len(condition.quorums) == 1
    if not alone or len(condition.quorums[0].keys) != 1:
        return None
    return condition.quorums[0].keys[0], (size, part.dsat[_FREE])


def _counts(sizes: list[int], needed: int, rest: int) -> list[list[int]]:
    """How many of each group may sign, so that what remains can come from the other parts."""
    rows: list[list[int]] = [[]]
    for size in sizes:
        rows = [[*row, count] for row in rows for count in range(min(size, needed - sum(row)), -1, -1)]
        if len(rows) > MAX_PATHS * MAX_PATHS:
            raise InsaneScript(f"it can be spent in more than {MAX_PATHS} ways, which nobody can oversee")
    return [row for row in rows if needed - sum(row) <= rest]


def _add(ways: _Ways, condition: _Condition, size: int) -> None:
    ways[condition] = min(size, ways.get(condition, size))
    if len(ways) > MAX_PATHS:
        raise InsaneScript(f"it can be spent in more than {MAX_PATHS} ways, which nobody can oversee")


def _merged(one: _Condition, other: _Condition) -> _Condition:
    everyone = [quorum for quorum in (*one.quorums, *other.quorums) if quorum.needed == len(quorum.keys)]
    others = [quorum for quorum in (*one.quorums, *other.quorums) if quorum.needed != len(quorum.keys)]
    names = tuple(chain.from_iterable(quorum.keys for quorum in everyone))
    whole = [Quorum(len(names), names)] if names else []
    older, after = _later(one.older, other.older), _later(one.after, other.after)
    return _Condition((*whole, *others), older, after, one.preimages | other.preimages)


def _later(one: int | None, other: int | None) -> int | None:
    """Both locks hold at the later; a sane script has no path with locks of both kinds."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _covers(easier: _Condition, other: _Condition) -> bool:
    """Whoever can do `other` can do `easier`, and `easier` asks for less."""
    if easier == other:
        return False
    return (
        _locked_no_longer(easier.older, other.older, Fragment.OLDER)
        and _locked_no_longer(easier.after, other.after, Fragment.AFTER)
        and easier.preimages <= other.preimages
        and all(any(_within(quorum, larger) for larger in other.quorums) for quorum in easier.quorums)
    )


def _locked_no_longer(one: int | None, other: int | None, fragment: Fragment) -> bool:
    if one is None or other is None:
        return one is None
    return one <= other and is_time(fragment, one) == is_time(fragment, other)


def _within(quorum: Quorum, larger: Quorum) -> bool:
    """Do signatures for `larger` always hold enough signatures for `quorum`?"""
    outside = len(set(larger.keys) - set(quorum.keys))
    return larger.needed - outside >= quorum.needed


def _first_signers(quorums: Sequence[Quorum]) -> tuple[str, ...]:
    return tuple(chain.from_iterable(quorum.keys[: quorum.needed] for quorum in quorums))


def _path(node: Node, condition: _Condition) -> Path:
    signers = _first_signers(condition.quorums)
    assets = Assets(
        keys=frozenset(signers),
        digests=frozenset(preimage.digest for preimage in condition.preimages),
        sequence=0xFFFFFFFE if condition.older is None else condition.older,
        lock_time=condition.after or 0,
    )
    witness = satisfy(node, assets)
    if witness is None:
        raise InsaneScript(f"its path with {', '.join(signers)} has no witness that nobody else can change")
    checked_keys = sum(item.checked_keys for item in witness if isinstance(item, Zero))
    return Path(
        quorums=condition.quorums,
        older=condition.older,
        after=condition.after,
        preimages=tuple(sorted(condition.preimages, key=lambda one: one.digest)),
        witness=witness,
        context=node.context,
        script_size=node.script_size,
        ops=node.static_ops + checked_keys,
    )
