"""What a forward pays for each difficulty, in steps that both sides compute alike: integers only."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from shared.errors import Denied
from shared.forward.rule import TERMS
from shared.wire.forward import Hedge

MAX_STEPS = 2_000
HASHES_PER_DIFFICULTY = 1 << 32
"""Expected hashes of a block at difficulty 1 (Bitcoin developer reference: 2^48 / 0xffff, to 2 parts in 10^5)."""


class Step(msgspec.Struct, frozen=True):
    """Outcomes `first` to `last`, both included, pay the miner `miner_sat`; the buyer gets the rest."""

    first: int
    last: int
    miner_sat: int


def earned_sat(hedge: Hedge, difficulty: int) -> int:
    """Expected reward at a constant difficulty, rounded down."""
    hashes = hedge.hashrate_ghs * 10**9 * hedge.duration_s
    return hashes * hedge.reward_sat // (max(1, difficulty) * HASHES_PER_DIFFICULTY)


def miner_sat(hedge: Hedge, difficulty: int) -> int:
    """Rises with difficulty: the miner earns less and is made whole."""
    wanted = hedge.miner_collateral_sat + hedge.price_sat - earned_sat(hedge, difficulty)
    return min(hedge.total_sat, max(0, wanted))


def paid_sat(hedge: Hedge, outcome: int, *, unit: int, rounding_sat: int) -> int:
    """What the miner gets for an outcome, rounded as `steps` says."""
    exact = miner_sat(hedge, outcome * unit)
    rounded = (exact + rounding_sat // 2) // rounding_sat * rounding_sat
    return hedge.total_sat if exact == hedge.total_sat else min(rounded, hedge.total_sat)


def reached_at(hedge: Hedge, sat: int) -> int | None:
    """The least difficulty at which the miner gets `sat` or more, before rounding; None where none pays as much."""
    earned = hedge.miner_collateral_sat + hedge.price_sat - sat
    return None if earned < 0 else earned_sat(hedge, 1) // (earned + 1) + 1


def steps(hedge: Hedge, *, unit: int, outcomes: int, rounding_sat: int) -> tuple[Step, ...]:
    """The payout of every outcome 0 to `outcomes` - 1, where outcome n is a difficulty of n * `unit` or more.

    Payouts are rounded to multiples of `rounding_sat`, except nothing and everything, which are exact. Denied
    `forward.terms` where more than 2,000 steps remain: round more coarsely.
    """
    paid = partial(paid_sat, hedge, unit=unit, rounding_sat=rounding_sat)
    found: list[Step] = []
    for first, last in _plateaus(paid, outcomes):
        if len(found) == MAX_STEPS:
            raise Denied(
                TERMS,
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
