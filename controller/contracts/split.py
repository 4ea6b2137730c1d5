"""Exact shares of an amount: no satoshi is lost, none is invented."""

from collections.abc import Sequence


def largest_remainder(amount_sat: int, weights: Sequence[int]) -> tuple[int, ...]:
    """`amount_sat` in proportion to `weights`, in their order; the sum is exact (Hare quota, largest remainder).

    Where remainders tie, the earlier share gets the satoshi, so that two parties compute the same. `weights` are not
    negative and not all zero, the amount is not negative.
    """
    total = sum(weights)
    if amount_sat < 0 or total <= 0 or min(weights) < 0:
        raise ValueError("an amount and weights that are not negative, and at least one weight above zero")
    floors = [amount_sat * weight // total for weight in weights]
    remainders = [amount_sat * weight % total for weight in weights]
    order = sorted(range(len(weights)), key=lambda index: (-remainders[index], index))
    for index in order[: amount_sat - sum(floors)]:
        floors[index] += 1
    return tuple(floors)
