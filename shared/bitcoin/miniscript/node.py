"""One miniscript expression: checked when it is built, so that a node that exists is well typed."""

from dataclasses import dataclass, field

from shared.bitcoin.miniscript.fragment import (
    DIGEST_SIZES,
    KEY_FRAGMENTS,
    LOCKS,
    MULTISIGS,
    SUB_COUNTS,
    Context,
    Fragment,
)
from shared.bitcoin.miniscript.size import own_ops, script_size
from shared.bitcoin.miniscript.types import Type, combined_type, has, leaf_type, letters, mismatch, text
from shared.errors import BitcoinMalformed

MAX_DEPTH = 128
MAX_MULTI_KEYS = 20
MAX_MULTI_A_KEYS = 999
_VERIFY_COSTS = letters("x")


@dataclass(frozen=True)
class Node:
    """`number` is the value of a lock or the threshold of thresh, multi and multi_a; `keys` are key expressions.

    BitcoinMalformed names the fragment and what it takes.
    """

    fragment: Fragment
    context: Context
    subs: tuple["Node", ...] = ()
    keys: tuple[str, ...] = ()
    number: int = 0
    digest: bytes = b""
    kind: Type = field(init=False, compare=False, repr=False)
    script_size: int = field(init=False, compare=False, repr=False)
    static_ops: int = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._check_arguments()
        self._check_depth()
        kinds = tuple(sub.kind for sub in self.subs)
        if self.subs:
            self._check_types(kinds)
            kind = combined_type(self.fragment, kinds, self.number, self.context)
        else:
            kind = leaf_type(self.fragment, self.number)
        object.__setattr__(self, "kind", kind)
        verify_costs = bool(self.subs) and has(self.subs[0].kind, _VERIFY_COSTS)
        arguments = len(self.subs) or len(self.keys)
        size = script_size(self.fragment, self.context, self.number, arguments, verify_costs=verify_costs)
        object.__setattr__(self, "script_size", size + sum(sub.script_size for sub in self.subs))
        ops = own_ops(self.fragment, len(self.subs), verify_costs=verify_costs)
        object.__setattr__(self, "static_ops", ops + sum(sub.static_ops for sub in self.subs))

    def is_type(self, properties: str) -> bool:
        """Has it all these properties (letters of `types`)?"""
        return has(self.kind, letters(properties))

    def _check_arguments(self) -> None:
        name = self.fragment.value
        if self.fragment is Fragment.THRESH:
            self._check_threshold(len(self.subs), len(self.subs))
        elif len(self.subs) != SUB_COUNTS.get(self.fragment, 0):
            raise BitcoinMalformed(f"{name} takes {SUB_COUNTS.get(self.fragment, 0)} expressions, not {len(self.subs)}")
        elif self.fragment in MULTISIGS:
            self._check_multisig()
        elif self.fragment in LOCKS and not 1 <= self.number < 1 << 31:
            raise BitcoinMalformed(f"{name}({self.number}): a lock is at least 1 and below 2147483648")
        elif self.fragment in KEY_FRAGMENTS and len(self.keys) != 1:
            raise BitcoinMalformed(f"{name} takes one key, not {len(self.keys)}")
        elif len(self.digest) != DIGEST_SIZES.get(self.fragment, 0):
            raise BitcoinMalformed(
                f"{name} takes a digest of {DIGEST_SIZES.get(self.fragment, 0)} bytes in hexadecimal"
            )

    def _check_multisig(self) -> None:
        home = Context.P2WSH if self.fragment is Fragment.MULTI else Context.TAPSCRIPT
        if self.context is not home:
            other = Fragment.MULTI_A if self.fragment is Fragment.MULTI else Fragment.MULTI
            raise BitcoinMalformed(f"{self.fragment} does not exist in {self.context}; write {other}")
        self._check_threshold(len(self.keys), MAX_MULTI_KEYS if home is Context.P2WSH else MAX_MULTI_A_KEYS)

    def _check_threshold(self, among: int, most: int) -> None:
        if not 1 <= self.number <= among:
            raise BitcoinMalformed(
                f"{self.fragment} needs {self.number} of {among}: it must be at least 1 and at most all"
            )
        if among > most:
            raise BitcoinMalformed(f"{self.fragment} takes at most {most} keys, not {among}")

    def _check_depth(self) -> None:
        depth = 1 + max((sub.depth for sub in self.subs), default=0)
        if depth > MAX_DEPTH:
            raise BitcoinMalformed(f"the expression is nested deeper than {MAX_DEPTH} fragments")
        if any(sub.context is not self.context for sub in self.subs):
            raise BitcoinMalformed(f"{self.fragment} joins expressions of different script contexts")
        object.__setattr__(self, "depth", depth)

    def _check_types(self, kinds: tuple[Type, ...]) -> None:
        wrong = mismatch(self.fragment, kinds)
        if wrong is not None:
            place, alternatives = wrong
            wanted = " or ".join(text(one) for one in alternatives)
            found = self.subs[place]
            raise BitcoinMalformed(
                f"{self.fragment}: argument {place + 1} must have type {wanted}, "
                f"but {found.fragment} has {text(found.kind)}"
            )
