"""What a forward pays for each difficulty, in steps that both sides compute alike: integers only."""

from bisect import bisect_left
from collections.abc import Callable, Iterator

import msgspec

from controller.contracts.refusal import Refusal
from shared.errors import Denied

MAX_STEPS = 2_000
HASHES_PER_DIFFICULTY = 1 << 32
"""Expected hashes of a block at difficulty 1 (Bitcoin developer reference: 2^48 / 0xffff, to 2 parts in 10^5)."""


class Step(msgspec.Struct, frozen=True):
    """Outcomes `first` to `last`, both included, pay the miner `miner_sat`; the buyer gets the rest."""

    first: int
    last: int
    miner_sat: int


class Hedge(msgspec.Struct, frozen=True, kw_only=True):
    """A miner who swaps what its hash rate earns for a fixed price.

    `hashrate_ghs` for `duration_s` earns `reward_sat` per block at average luck; `price_sat` is agreed. The miner gets
    its collateral plus price less earnings, at least nothing and at most both collaterals.
    """

    hashrate_ghs: int
    duration_s: int
    reward_sat: int
    price_sat: int
    miner_collateral_sat: int
    buyer_collateral_sat: int

    @property
    def total_sat(self) -> int:
        return self.miner_collateral_sat + self.buyer_collateral_sat

    def earned_sat(self, difficulty: int) -> int:
        """Expected reward at a constant difficulty, rounded down."""
        hashes = self.hashrate_ghs * 10**9 * self.duration_s
        return hashes * self.reward_sat // (max(1, difficulty) * HASHES_PER_DIFFICULTY)

    def miner_sat(self, difficulty: int) -> int:
        """Rises with difficulty: the miner earns less and is made whole."""
        wanted = self.miner_collateral_sat + self.price_sat - self.earned_sat(difficulty)
        return min(self.total_sat, max(0, wanted))


def steps(hedge: Hedge, *, unit: int, outcomes: int, rounding_sat: int) -> tuple[Step, ...]:
    """The payout of every outcome 0 to `outcomes` - 1, where outcome n is a difficulty of n * `unit` or more.

    Payouts are rounded to multiples of `rounding_sat`, except nothing and everything, which are exact. Denied
    `template.too-many-outcomes` where more than 2,000 steps remain: round more coarsely.
    """

    def paid(outcome: int) -> int:
        exact = hedge.miner_sat(outcome * unit)
        rounded = (exact + rounding_sat // 2) // rounding_sat * rounding_sat
        return hedge.total_sat if exact == hedge.total_sat else min(rounded, hedge.total_sat)

    found: list[Step] = []
    for first, last in _plateaus(paid, outcomes):
        if len(found) == MAX_STEPS:
            raise Denied(
                Refusal.TOO_MANY_OUTCOMES,
                f"rounding to {rounding_sat:,} sat leaves more than {MAX_STEPS:,} payouts; round more coarsely",
            )
        found.append(Step(first, last, paid(first)))
    return tuple(found)


def _plateaus(paid: Callable[[int], int], outcomes: int) -> Iterator[tuple[int, int]]:
    """Stretches of equal payout of a function that never falls, by bisection."""
    first = 0
    while first < outcomes:
        last = bisect_left(range(outcomes), paid(first) + 1, lo=first, key=paid) - 1
        yield first, last
        first = last + 1
