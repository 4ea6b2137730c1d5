"""From a policy to the cheapest sane miniscript: dynamic programming over types, bottom up.

Cost is what the chain is paid for: the bytes of the script, which every spend reveals, and the witness that is
expected by the odds. A signature counts with its largest size.
"""

from collections import Counter
from collections.abc import Sequence
from functools import reduce
from heapq import heapify, heappop, heappush

from shared.bitcoin.miniscript import candidate
from shared.bitcoin.miniscript.candidate import Candidate, Frontier
from shared.bitcoin.miniscript.fragment import Context, Fragment
from shared.bitcoin.miniscript.node import MAX_MULTI_A_KEYS, MAX_MULTI_KEYS, Node
from shared.bitcoin.miniscript.policy import And, Leaf, Or, Policy, Threshold, always_signed, keys_of, parse_policy
from shared.bitcoin.miniscript.sanity import require_sane
from shared.errors import InsaneScript

MAX_ODDS = 1_000_000


def compile_policy(policy: Policy | str, context: Context) -> Node:
    """InsaneScript where no script can be sane, with the part of the policy that is to blame."""
    wanted = parse_policy(policy) if isinstance(policy, str) else policy
    require_sound(wanted)
    node = _cheapest(wanted, context).build(context)
    require_sane(node)
    return node


def expected_wu(policy: Policy | str, context: Context) -> float:
    """Weight of script and witness that a spend by the compiled policy is expected to take."""
    wanted = parse_policy(policy) if isinstance(policy, str) else policy
    best = _cheapest(wanted, context)
    return best.size + best.sat


def require_sound(policy: Policy) -> None:
    """InsaneScript for a repeated key and for a way that needs no signature."""
    repeated = [key for key, times in Counter(keys_of(policy)).items() if times > 1]
    if repeated:
        raise InsaneScript(f"the key {repeated[0]} stands more than once in the policy; take another key of its holder")
    if not always_signed(policy):
        raise InsaneScript(f"{policy} can be fulfilled without any signature")


def balanced(policy: Policy) -> Policy:
    """The same policy with nested ors joined anew, the least likely innermost (Huffman's order)."""
    match policy:
        case Leaf():
            return policy
        case And():
            return And((balanced(policy.subs[0]), balanced(policy.subs[1])))
        case Threshold():
            return Threshold(policy.needed, tuple(balanced(sub) for sub in policy.subs))
        case Or():
            return _joined_anew([(share, balanced(sub)) for share, sub in alternatives(policy)])


def alternatives(policy: Policy) -> list[tuple[float, Policy]]:
    """What the outermost ors leave to choose from, each with its probability."""
    match policy:
        case Or():
            pairs = zip(policy.shares, policy.subs, strict=True)
            return [(share * inner, sub) for share, one in pairs for inner, sub in alternatives(one)]
        case Threshold() if policy.needed == 1:
            share = 1 / len(policy.subs)
            return [(share * inner, sub) for one in policy.subs for inner, sub in alternatives(one)]
        case _:
            return [(1.0, policy)]


def _joined_anew(choices: list[tuple[float, Policy]]) -> Policy:
    heap = [(share, order, policy) for order, (share, policy) in enumerate(choices)]
    heapify(heap)
    order = len(heap)
    while len(heap) > 1:
        rarer, _, second = heappop(heap)
        oftener, _, first = heappop(heap)
        odds = tuple(max(1, round(MAX_ODDS * share / (rarer + oftener))) for share in (oftener, rarer))
        heappush(heap, (rarer + oftener, order, Or((first, second), (odds[0], odds[1]))))
        order += 1
    return heap[0][2]


def _cheapest(policy: Policy, context: Context) -> Candidate:
    """The better of the policy as it stands and with its ors joined anew."""
    compiler = _Compiler(context)
    frontiers = [compiler.frontier(way, 1.0) for way in (policy, balanced(policy))]
    whole = [(frontier.cost(one), one) for frontier in frontiers for one in frontier.of_type("Bmks")]
    if not whole:
        raise InsaneScript(f"{policy}: no script for it would be sane")
    return min(whole, key=lambda pair: pair[0])[1]


class _Compiler:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[tuple[Policy, float], Frontier] = {}

    def frontier(self, policy: Policy, reach: float) -> Frontier:
        known = self._known.get((policy, reach))
        if known is not None:
            return known
        found = Frontier(self._context, reach)
        match policy:
            case Leaf():
                self._leaf(policy, found)
            case And():
                self._and(policy, reach, found)
            case Or():
                self._or(policy, reach, found)
            case Threshold():
                self._threshold(policy, reach, found)
        if not list(found):
            raise InsaneScript(
                f"{policy}: every script for it would be malleable or need a height and a time lock at once"
            )
        self._known[policy, reach] = found
        return found

    def _leaf(self, policy: Leaf, found: Frontier) -> None:
        if policy.fragment is Fragment.PK_K:
            names = (Fragment.PK_K, Fragment.PK_H)
            found.add(candidate.leaf(name, self._context, keys=(policy.key,)) for name in names)
        else:
            found.add([candidate.leaf(policy.fragment, self._context, number=policy.number, digest=policy.digest)])

    def _and(self, policy: And, reach: float, found: Frontier) -> None:
        one, other = (self.frontier(sub, reach) for sub in policy.subs)
        for first, second in ((one, other), (other, one)):
            found.add(
                candidate.both(fragment, self._context, x, y)
                for x in first
                for y in second
                for fragment in (Fragment.AND_V, Fragment.AND_B, Fragment.ANDOR)
            )

    def _or(self, policy: Or, reach: float, found: Frontier) -> None:
        self._multisig(1, [sub for _, sub in alternatives(policy)], found)
        share, rest = policy.shares
        one = self.frontier(policy.subs[0], reach * share)
        other = self.frontier(policy.subs[1], reach * rest)
        for first, second, shares in ((one, other, (share, rest)), (other, one, (rest, share))):
            found.add(
                candidate.either(fragment, self._context, x, z, shares)
                for x in first
                for z in second
                for fragment in (Fragment.OR_B, Fragment.OR_C, Fragment.OR_D, Fragment.OR_I)
            )
        self._andor(policy.subs[0], other, reach, (share, rest), found)
        self._andor(policy.subs[1], one, reach, (rest, share), found)

    def _andor(
        self, tried: Policy, instead: Frontier, reach: float, shares: tuple[float, float], found: Frontier
    ) -> None:
        """(X and Y) or Z as one fragment."""
        if not isinstance(tried, And):
            return
        one, other = (self.frontier(sub, reach * shares[0]) for sub in tried.subs)
        for first, second in ((one, other), (other, one)):
            found.add(
                candidate.joined(
                    Fragment.ANDOR,
                    self._context,
                    (x, y, z),
                    shares[0] * (x.sat + y.sat) + shares[1] * (z.sat + x.dsat),
                    x.dsat + z.dsat,
                )
                for x in first.of_type("Bdue")
                for y in second
                for z in instead
            )

    def _threshold(self, policy: Threshold, reach: float, found: Frontier) -> None:
        self._multisig(policy.needed, policy.subs, found)
        if policy.needed == len(policy.subs):
            found.add(self.frontier(reduce(lambda one, other: And((one, other)), policy.subs), reach))
        elif policy.needed == 1:
            found.add(self.frontier(_joined_anew([(1 / len(policy.subs), sub) for sub in policy.subs]), reach))
        if len(policy.subs) > 1:
            share = policy.needed / len(policy.subs)
            parts = [self.frontier(sub, reach * share) for sub in policy.subs]
            for outside in (0.0, 1.0):
                found.add([self._thresh(policy.needed, parts, share, reach * (1 - share) + outside)])

    def _multisig(self, needed: int, subs: Sequence[Policy], found: Frontier) -> None:
        """One fragment for all, where all are keys."""
        keys = tuple(sub.key for sub in subs if isinstance(sub, Leaf) and sub.key)
        tapscript = self._context is Context.TAPSCRIPT
        if len(keys) == len(subs) and len(keys) <= (MAX_MULTI_A_KEYS if tapscript else MAX_MULTI_KEYS):
            fragment = Fragment.MULTI_A if tapscript else Fragment.MULTI
            found.add([candidate.leaf(fragment, self._context, number=needed, keys=keys)])

    def _thresh(self, needed: int, parts: list[Frontier], share: float, dsat_weight: float) -> Candidate | None:
        """The fragment thresh of the best part each; the part that gains most by it stands first."""
        offers = [(_best(part, "Bdue", dsat_weight), _best(part, "Wdue", dsat_weight)) for part in parts]
        priced = [(first, later) for first, later in offers if first is not None and later is not None]
        if len(priced) < len(parts):
            return None
        lead = max(range(len(priced)), key=lambda place: round(priced[place][1][0] - priced[place][0][0], 6))
        subs = (priced[lead][0][1], *(later[1] for place, (_, later) in enumerate(priced) if place != lead))
        sat = sum(share * sub.sat + (1 - share) * sub.dsat for sub in subs)
        return candidate.joined(Fragment.THRESH, self._context, subs, sat, sum(sub.dsat for sub in subs), needed)


def _best(part: Frontier, properties: str, dsat_weight: float) -> tuple[float, Candidate] | None:
    """The cheapest of this type, signed where one is; its dissatisfaction counts with this weight."""
    fitting = part.of_type(properties + "s") or part.of_type(properties)
    priced = [(part.cost(one) + dsat_weight * one.dsat, one) for one in fitting]
    return min(priced, key=lambda pair: pair[0], default=None)
