"""What the terms say of their paths is compared with the script: each way to spend is declared, and none besides.

A box signs for a declared path. Were the declaration another than the script, people would approve one thing and make
another possible: a quorum smaller than they read, a lock that is not there, a door for recovery that others open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, product
from math import comb, prod

from agent.signer.policy.ownership import NOBODY, names_of
from agent.signer.rule import REGISTER_TERMS
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.miniscript.cost import input_wu, key_path_input_wu
from shared.bitcoin.miniscript.paths import Path, paths
from shared.bitcoin.miniscript.script_tree import Script, scripts_of
from shared.errors import ContractError, Denied
from shared.wire.contract import HIGHEST_HEIGHT, Party, SpendingPath

_LONGEST_BLOCKS = 0xFFFF  # BIP-68: above it a relative lock counts time
MOST_SETS = 5_000
"""Different sets of signers that one path is compared by."""


@dataclass(frozen=True, slots=True)
class Way:
    """One set of parties that spends together once the locks are over. `leaf` as in `SpendingPath`."""

    signers: frozenset[str]
    older_blocks: int | None
    after_height: int | None
    leaf: int | None

    def asks_no_more_than(self, other: "Way") -> bool:
        """Whoever can do `other` in the same script can do this."""
        return (
            self.leaf == other.leaf
            and self.signers <= other.signers
            and (self.older_blocks or 0) <= (other.older_blocks or 0)
            and (self.after_height or 0) <= (other.after_height or 0)
        )


def check_paths(descriptor: Descriptor, parties: tuple[Party, ...], declared: tuple[SpendingPath, ...]) -> None:
    """`register.terms` where a path is not in the script, the script has one more, or a role is nobody's in it."""
    real = ways_of(descriptor, parties)
    roles = {party.name: party.role for party in parties}
    told: set[Way] = set()
    for path in declared:
        if path.role not in {roles[name] for name in path.keys}:
            raise Denied(REGISTER_TERMS, f"path {path.name!r} has the role {path.role}, which none of its parties has")
        for way in _declared(path):
            if way not in real:
                raise Denied(
                    REGISTER_TERMS, f"path {path.name!r}: {_words(way)} is not a way to spend in the descriptor"
                )
            told.add(way)
    for way in real:
        if way not in told and not any(other.asks_no_more_than(way) for other in told):
            raise Denied(REGISTER_TERMS, f"the descriptor can be spent by {_words(way)}, which no path declares")


def path_input_wu(descriptor: Descriptor, parties: tuple[Party, ...], path: SpendingPath) -> int:
    """What an input by a declared path weighs at most, whoever of the quorum signs."""
    real = ways_of(descriptor, parties)
    return max(real[way] for way in _declared(path))


@lru_cache(maxsize=1024)
def ways_of(descriptor: Descriptor, parties: tuple[Party, ...]) -> Mapping[Way, int]:
    """Every way to spend and the weight (WU) of an input by it, the lightest where the script has several."""
    try:
        scripts = scripts_of(descriptor.text)
        every = [(script, path) for script in scripts.scripts for path in paths(script.node)]
    except ContractError as error:
        raise Denied(REGISTER_TERMS, error.detail) from error
    found: dict[Way, int] = {}
    if scripts.internal_key not in (None, NOBODY):
        found[Way(names_of(scripts.internal_key, parties), None, None, None)] = key_path_input_wu()
    for script, path in every:
        weight_wu = input_wu(path, script.depth)
        for way in _real(script, path, parties):
            found[way] = min(weight_wu, found.get(way, weight_wu))
    return found


def _real(script: Script, path: Path, parties: tuple[Party, ...]) -> set[Way]:
    if path.preimages:
        raise Denied(REGISTER_TERMS, "a way to spend asks for a preimage; boxes sign for people and heights only")
    if (path.older or 0) > _LONGEST_BLOCKS or (path.after or 0) > HIGHEST_HEIGHT:
        raise Denied(REGISTER_TERMS, f"a lock counts time (older {path.older}, after {path.after}); write it in blocks")
    _require_few(prod(comb(len(quorum.keys), quorum.needed) for quorum in path.quorums))
    names = {key: names_of(key, parties) for key in path.keys}
    chosen = product(*(combinations(quorum.keys, quorum.needed) for quorum in path.quorums))
    sets = {frozenset[str]().union(*(names[key] for key in chain.from_iterable(keys))) for keys in chosen}
    return {Way(signers, path.older, path.after, script.leaf) for signers in sets}


def _declared(path: SpendingPath) -> set[Way]:
    _require_few(comb(len(path.keys), path.needed))
    sets = map(frozenset, combinations(path.keys, path.needed))
    return {Way(signers, path.older_blocks, path.after_height, path.leaf) for signers in sets}


def _require_few(sets: int) -> None:
    if sets > MOST_SETS:
        raise Denied(REGISTER_TERMS, f"{sets} different sets of signers on one path; at most {MOST_SETS} are compared")


def _words(way: Way) -> str:
    where = "" if way.leaf is None else f" in leaf {way.leaf}"
    locks = "" if way.older_blocks is None else f" after {way.older_blocks} blocks"
    locks += "" if way.after_height is None else f" from height {way.after_height}"
    return " and ".join(sorted(way.signers)) + where + locks
