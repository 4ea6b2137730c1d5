"""The policy language: what must hold, without saying by which script.

    pk(KEY)  older(N)  after(N)  sha256(H)  hash256(H)  ripemd160(H)  hash160(H)
    and(P,P)  or(P,P)  or(9@P,1@P)  thresh(K,P,...)

The odds of an `or` say how often each side will be used; without them both sides are used alike.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.bitcoin.miniscript.fragment import DIGEST_SIZES, LOCKS, Fragment
from shared.bitcoin.miniscript.reader import Reader
from shared.errors import BitcoinMalformed

MAX_DEPTH = 32
_NAME = re.compile(r"(?:([1-9][0-9]{0,6})@)?([a-z0-9]+)\(")
_LEAVES = {"pk": Fragment.PK_K, **{one.value: one for one in (*LOCKS, *DIGEST_SIZES)}}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A signature (PK_K), a lock or a preimage."""

    fragment: Fragment
    key: str = ""
    number: int = 0
    digest: bytes = b""

    def __str__(self) -> str:
        name = "pk" if self.fragment is Fragment.PK_K else self.fragment.value
        return f"{name}({self.key or self.digest.hex() or self.number})"


@dataclass(frozen=True, slots=True)
class And:
    subs: tuple["Policy", "Policy"]

    def __str__(self) -> str:
        return f"and({self.subs[0]},{self.subs[1]})"


@dataclass(frozen=True, slots=True)
class Or:
    subs: tuple["Policy", "Policy"]
    odds: tuple[int, int]

    def __str__(self) -> str:
        return f"or({self.odds[0]}@{self.subs[0]},{self.odds[1]}@{self.subs[1]})"

    @property
    def shares(self) -> tuple[float, float]:
        """The odds as probabilities."""
        total = sum(self.odds)
        return self.odds[0] / total, self.odds[1] / total


@dataclass(frozen=True, slots=True)
class Threshold:
    needed: int
    subs: tuple["Policy", ...]

    def __str__(self) -> str:
        return f"thresh({','.join((str(self.needed), *map(str, self.subs)))})"


Policy = Leaf | And | Or | Threshold


def parse_policy(text: str) -> Policy:
    """BitcoinMalformed names the place."""
    reader = _PolicyReader(text, "policy")
    odds, policy = reader.policy(0)
    reader.end()
    if odds is not None:
        raise BitcoinMalformed("policy: odds stand before the arguments of or only")
    return policy


def keys_of(policy: Policy) -> Iterator[str]:
    """Every key in the order of the text."""
    if isinstance(policy, Leaf):
        if policy.key:
            yield policy.key
    else:
        for sub in policy.subs:
            yield from keys_of(sub)


def always_signed(policy: Policy) -> bool:
    """Does every way to fulfil it need a signature?"""
    match policy:
        case Leaf():
            return bool(policy.key)
        case And():
            return any(always_signed(sub) for sub in policy.subs)
        case Or():
            return all(always_signed(sub) for sub in policy.subs)
        case Threshold():
            return sum(not always_signed(sub) for sub in policy.subs) < policy.needed


class _PolicyReader(Reader):
    def policy(self, depth: int) -> tuple[int | None, Policy]:
        """The odds before it, and the policy."""
        if depth > MAX_DEPTH:
            raise self.fault(f"nested deeper than {MAX_DEPTH} policies")
        head = self.match(_NAME)
        if head is None:
            raise self.fault("a policy such as pk(KEY) is expected")
        odds, name = head.groups()
        policy = self._leaf(_LEAVES[name]) if name in _LEAVES else self._joined(name, depth)
        self.take(")")
        return (int(odds) if odds else None), policy

    def _leaf(self, fragment: Fragment) -> Leaf:
        if fragment is Fragment.PK_K:
            return Leaf(fragment, key=self.key())
        if fragment in DIGEST_SIZES:
            return Leaf(fragment, digest=self.digest(DIGEST_SIZES[fragment]))
        number = self.number()
        if not 1 <= number < 1 << 31:
            raise self.fault("a lock is at least 1 and below 2147483648")
        return Leaf(fragment, number=number)

    def _joined(self, name: str, depth: int) -> Policy:
        if name not in ("and", "or", "thresh"):
            raise self.fault(f"there is no policy {name}")
        needed = self.number() if name == "thresh" else 0
        if needed:
            self.take(",")
        odds, subs = self._arguments(depth)
        if name != "or" and any(odds):
            raise self.fault("odds stand before the arguments of or only")
        if name == "thresh":
            if not 1 <= needed <= len(subs):
                raise self.fault(f"{needed} of {len(subs)} is not at least 1 and at most all")
            return Threshold(needed, subs)
        if len(subs) != 2:
            raise self.fault(f"{name} takes two policies, not {len(subs)}; nest it or write thresh")
        pair = subs[0], subs[1]
        return And(pair) if name == "and" else Or(pair, (odds[0] or 1, odds[1] or 1))

    def _arguments(self, depth: int) -> tuple[list[int | None], tuple[Policy, ...]]:
        found = [self.policy(depth + 1)]
        while self.sees(","):
            self.take(",")
            found.append(self.policy(depth + 1))
        return [odds for odds, _ in found], tuple(policy for _, policy in found)
