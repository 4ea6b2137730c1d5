"""Intervals of outcomes as digit prefixes: one transaction for each prefix instead of one for each outcome.

An oracle that attests a number digit by digit signs each digit with a nonce of its own. A signature point made of the
first k digits covers all numbers that begin with them, so that an interval of n outcomes needs O(log n) transactions
(discreetlogcontracts/dlcspecs, NumericOutcome.md).
"""

Prefix = tuple[int, ...]
"""Leading digits, the most significant first; a number has `nb_digits` of them."""


def prefixes(first: int, last: int, *, base: int, nb_digits: int) -> tuple[Prefix, ...]:
    """The fewest prefixes that cover exactly `first` to `last` (both included), by ascending outcome."""
    if base < 2 or nb_digits < 1 or not 0 <= first <= last < base**nb_digits:
        raise ValueError(f"{first} to {last} is no interval of {nb_digits} digits of base {base}")
    covered: list[Prefix] = []
    while first <= last:
        free = 0  # trailing digits that may be anything
        while free < nb_digits and first % base ** (free + 1) == 0 and first + base ** (free + 1) - 1 <= last:
            free += 1
        covered.append(digits(first, base=base, nb_digits=nb_digits)[: nb_digits - free])
        first += base**free
    return tuple(covered)


def digits(number: int, *, base: int, nb_digits: int) -> Prefix:
    """All digits of `number`, the most significant first."""
    return tuple(number // base**place % base for place in reversed(range(nb_digits)))


def bounds(prefix: Prefix, *, base: int, nb_digits: int) -> tuple[int, int]:
    """The first and the last number that begin with `prefix`."""
    value = 0
    for digit in prefix:
        value = value * base + digit
    rest: int = base ** (nb_digits - len(prefix))
    return value * rest, (value + 1) * rest - 1
