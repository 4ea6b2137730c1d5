"""What a descriptor lets people do, read from the descriptor itself: each way to spend, who for it, and its cost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, product
from math import comb

import msgspec

from controller.contracts.ownership import Owners
from controller.contracts.refusal import Refusal
from shared.bitcoin.miniscript import NUMS_KEY
from shared.bitcoin.miniscript.cost import input_wu, key_path_input_wu, signature_budget
from shared.bitcoin.miniscript.fragment import Context, Fragment
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.paths import Path, paths
from shared.bitcoin.miniscript.sanity import keys
from shared.bitcoin.miniscript.script_tree import Script, scripts_of
from shared.errors import BitcoinMalformed, Denied, InsaneScript
from shared.wire.contract import HIGHEST_HEIGHT, Party, PathRole, SpendingPath

MAX_PATHS = 64
_MAX_SETS = 1_000
_LONGEST_BLOCKS = 0xFFFF
_ROLES: tuple[PathRole, ...] = ("signer", "deputy", "recovery", "offline")
_WORDS = {"signer": "signers", "deputy": "deputies", "recovery": "recovery", "offline": "offline"}


@dataclass(frozen=True, slots=True)
class Route:
    """A spending path with what an input by it weighs at most.

    `sigop_cost` counts against a block and relay (segwit v0), `signature_units` are used and allowed ones of a
    tapscript (BIP-342); None for everything else.
    """

    path: SpendingPath
    input_wu: int
    sigop_cost: int = 0
    signature_units: tuple[int, int] | None = None


def routes(descriptor: str, parties: Sequence[Party]) -> tuple[Route, ...]:
    """Every way to spend, what is open at once first, the cheapest before the others; names are unique.

    Denied `template.insane`, `template.foreign-key`, `template.shared-key`, `template.hash-lock`,
    `template.time-lock`, `template.too-many-paths`.
    """
    owners, roles = Owners(parties), {party.name: party.role for party in parties}
    try:
        scripts = scripts_of(descriptor)
    except BitcoinMalformed as error:
        raise Denied(Refusal.INSANE, error.detail) from error
    found: list[Route] = []
    if scripts.internal_key is not None and scripts.internal_key != NUMS_KEY:
        names = owners.of(scripts.internal_key)
        path = SpendingPath("key path", _role(names, roles), names, len(names))
        found.append(Route(path, key_path_input_wu()))
    for script in scripts.scripts:
        found += _of_script(script, owners, roles)
    if len(found) > MAX_PATHS:
        raise Denied(Refusal.TOO_MANY_PATHS, f"{len(found)} ways to spend; nobody oversees more than {MAX_PATHS}")
    return _named(sorted(found, key=_openness))


def _openness(route: Route) -> tuple[int, int, int]:
    return route.path.after_height or 0, route.path.older_blocks or 0, route.input_wu


@dataclass(frozen=True, slots=True)
class _Lock:
    older_blocks: int | None
    after_height: int | None

    def opens_before(self, other: "_Lock") -> bool:
        """Or with it: whoever has waited for the other has waited for this one."""
        return (self.older_blocks or 0) <= (other.older_blocks or 0) and (
            (self.after_height or 0) <= (other.after_height or 0)
        )


def _of_script(script: Script, owners: Owners, roles: dict[str, PathRole]) -> Iterable[Route]:
    try:
        ways = paths(script.node)
    except InsaneScript as error:
        raise Denied(Refusal.INSANE, error.detail) from error
    by_lock: dict[_Lock, list[Path]] = {}
    for way in ways:
        by_lock.setdefault(_lock(way), []).append(way)
    several = Counter(name for key in keys(script.node) for name in owners.of(key))
    if max(several.values()) == 1:
        told = {lock: _told(alike, owners) for lock, alike in by_lock.items()}
    else:
        told = _told_once(by_lock, owners)
    for lock, quorums in told.items():
        for quorum in quorums:
            path = SpendingPath(
                name="",
                role=_role(quorum.names, roles),
                keys=quorum.names,
                needed=quorum.needed,
                older_blocks=lock.older_blocks,
                after_height=lock.after_height,
                leaf=script.leaf,
            )
            yield _weighed(path, script, quorum.ways)


def _lock(way: Path) -> _Lock:
    """Locks in blocks; Denied for what boxes cannot judge by height or people by signing."""
    if way.preimages:
        raise Denied(Refusal.HASH_LOCK, "a path asks for a secret (hash lock); swaps do that, contracts do not")
    if way.older is not None and way.older > _LONGEST_BLOCKS:
        raise Denied(Refusal.TIME_LOCK, f"older({way.older}) counts time; write it in blocks")
    if way.after is not None and way.after > HIGHEST_HEIGHT:
        raise Denied(Refusal.TIME_LOCK, f"after({way.after}) is a date; write it as a height")
    return _Lock(way.older, way.after)


def _weighed(path: SpendingPath, script: Script, ways: Sequence[Path]) -> Route:
    """With the most that any of the ways takes."""
    weight_wu = max(input_wu(way, script.depth) for way in ways)
    if script.node.context is Context.P2WSH:
        return Route(path, weight_wu, sigop_cost=_sigops(script.node))
    units = max((signature_budget(way, script.depth) for way in ways), key=lambda unit: unit[0] / unit[1])
    return Route(path, weight_wu, signature_units=units)


@dataclass(frozen=True, slots=True)
class _Told:
    names: tuple[str, ...]
    needed: int
    ways: tuple[Path, ...]


_Sets = dict[frozenset[str], Path]
"""Who signs together, and the cheapest way in which they can."""


def _told(ways: Sequence[Path], owners: Owners) -> list[_Told]:
    """Each quorum with the ways behind it."""
    if len(ways) == 1 and len(ways[0].quorums) == 1:
        quorum = ways[0].quorums[0]
        people = [owners.of(key) for key in quorum.keys]
        if all(len(names) == 1 for names in people):
            return [_Told(tuple(chain.from_iterable(people)), quorum.needed, tuple(ways))]
    return _as_quorums(_sets(ways, owners), owners)


def _told_once(by_lock: dict[_Lock, list[Path]], owners: Owners) -> dict[_Lock, list[_Told]]:
    """Where a party has several keys: ways that ask more of somebody who can do with less are not told."""
    sets = {lock: _sets(ways, owners) for lock, ways in by_lock.items()}
    everything = [(lock, signers) for lock, found in sets.items() for signers in found]
    told: dict[_Lock, list[_Told]] = {}
    for lock, found in sets.items():
        needed = {
            signers: way
            for signers, way in found.items()
            if not any(
                fewer <= signers and earlier.opens_before(lock) and (fewer, earlier) != (signers, lock)
                for earlier, fewer in everything
            )
        }
        told[lock] = _as_quorums(needed, owners)
    return told


def _sets(ways: Sequence[Path], owners: Owners) -> _Sets:
    sets: _Sets = {}
    for way in sorted(ways, key=input_wu):
        for signers in _signer_sets(way, owners):
            sets.setdefault(signers, way)
    return sets


def _as_quorums(sets: _Sets, owners: Owners) -> list[_Told]:
    """Where a combination is no quorum, all of its signers are needed."""
    told: list[_Told] = []
    for family in _families(tuple(sets)):
        union = frozenset(chain.from_iterable(family))
        sizes = {len(signers) for signers in family}
        if len(sizes) == 1 and len(family) == comb(len(union), min(sizes)):
            told.append(_Told(owners.ordered(union), min(sizes), tuple(sets[signers] for signers in family)))
        else:
            told += [_Told(owners.ordered(signers), len(signers), (sets[signers],)) for signers in family]
    return told


def _signer_sets(way: Path, owners: Owners) -> Iterable[frozenset[str]]:
    total = 1
    for quorum in way.quorums:
        total *= comb(len(quorum.keys), quorum.needed)
    if total > _MAX_SETS:
        raise Denied(Refusal.TOO_MANY_PATHS, f"{total:,} different sets of signers; nobody oversees that")
    for chosen in product(*(combinations(quorum.keys, quorum.needed) for quorum in way.quorums)):
        yield frozenset(name for keys in chosen for key in keys for name in owners.of(key))


def _families(sets: Sequence[frozenset[str]]) -> list[list[frozenset[str]]]:
    """Sets that share somebody, directly or through others, in the order of their first."""
    families: list[list[frozenset[str]]] = []
    for one in sets:
        joined = [family for family in families if any(one & other for other in family)]
        apart = [family for family in families if family not in joined]
        families = [*apart, [*chain.from_iterable(joined), one]]
    return families


def _role(names: Sequence[str], roles: dict[str, PathRole]) -> PathRole:
    """The strongest of the keys': a quorum in which a signer takes part is the signers' path."""
    held = {roles[name] for name in names}
    return next(role for role in _ROLES if role in held)


def _sigops(node: Node) -> int:
    """CHECKSIG counts one, CHECKMULTISIG its keys, or 20 where they are more than 16 (BIP-141)."""
    own = 0
    if node.fragment is Fragment.C:
        own = 1
    elif node.fragment is Fragment.MULTI:
        own = len(node.keys) if len(node.keys) <= 16 else 20
    return own + sum(_sigops(sub) for sub in node.subs)


def _named(found: Sequence[Route]) -> tuple[Route, ...]:
    """Names by role and lock; a number where two would be alike."""
    used: Counter[str] = Counter()
    named: list[Route] = []
    for route in found:
        path = route.path
        words = path.name or _WORDS[path.role]
        if path.older_blocks is not None:
            words += f" after {path.older_blocks}"
        if path.after_height is not None:
            words += f" from {path.after_height}"
        used[words] += 1
        name = words if used[words] == 1 else f"{words} ({used[words]})"
        named.append(replace(route, path=msgspec.structs.replace(path, name=name)))
    return tuple(named)
