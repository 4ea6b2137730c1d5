"""Whose key is it? One party's key may stand in a descriptor with several derivations; it stays that party's key."""

import re
from collections.abc import Collection, Sequence

from controller.contracts.refusal import Refusal
from shared.errors import Denied
from shared.wire.contract import Party

_MUSIG = re.compile(r"musig\(([^()]*)\)(?:/.*)?")


def root(key: str) -> str:
    """The key itself: of `[d34db33f/48h]xpub…/<0;1>/*` the `xpub…`, without origin and without what is derived."""
    return key.rpartition("]")[2].partition("/")[0]


class Owners:
    """The parties of a contract by their keys. Denied `template.shared-key` where two parties name the same one."""

    def __init__(self, parties: Sequence[Party]) -> None:
        self._names: dict[str, str] = {}
        for party in parties:
            bare = root(party.key)
            other = self._names.setdefault(bare, party.name)
            if other != party.name:
                raise Denied(
                    Refusal.SHARED_KEY, f"{other} and {party.name} have the same key; who signs twice is not two"
                )

    def of(self, key: str) -> tuple[str, ...]:
        """Names of all who have to sign for a key expression, those of musig() in its order.

        Denied `template.foreign-key` where a key belongs to no party.
        """
        found = _MUSIG.fullmatch(key)
        parts = found[1].split(",") if found else [key]
        return tuple(self._one(part) for part in parts)

    def ordered(self, names: Collection[str]) -> tuple[str, ...]:
        """In the order in which the contract names its parties."""
        return tuple(name for name in self._names.values() if name in names)

    def _one(self, key: str) -> str:
        bare = root(key)
        if bare not in self._names:
            raise Denied(Refusal.FOREIGN_KEY, f"the key {key[:40]} belongs to none of the parties")
        return self._names[bare]
