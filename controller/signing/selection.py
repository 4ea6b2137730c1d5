"""Which coins pay for a spending.

Coins count with their effective value: the amount less the fee of the input that spends it. Three ways are tried and
the least waste wins: branch and bound for an exact match without change, single random draw, and the largest first.
Waste, as Bitcoin Core defines it, is what the inputs cost now against a long-term rate, plus what change costs (or, in
its absence, what is given away to the fee).
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

from controller.signing.fee import INPUT_BASE_WU, WITNESS_SCALE, fee_sat, frame_wu, output_wu, share_sat
from controller.signing.model import Coin
from controller.signing.refusal import SigningRefusal
from shared.errors import Denied

MOST_INPUTS = 252  # counted in one byte, which keeps the frame's weight constant
_TRIES = 100_000
_DRAWS = 16


class Shape(NamedTuple):
    """What the transaction looks like apart from its coins.

    `input_wu` weighs one input with its witness; `change_script` is where the rest goes and `change_dust_sat` the least
    that may go there. `long_term_sat_kvb` is the rate at which change is expected to be spent.
    """

    scripts: tuple[bytes, ...]
    amount_sat: int
    input_wu: int
    change_script: bytes
    change_dust_sat: int
    rate_sat_kvb: int
    long_term_sat_kvb: int
    most_inputs: int = MOST_INPUTS

    @property
    def input_fee_sat(self) -> int:
        return share_sat(self.input_wu, self.rate_sat_kvb)

    @property
    def change_fee_sat(self) -> int:
        return share_sat(output_wu(self.change_script), self.rate_sat_kvb)

    @property
    def change_cost_sat(self) -> int:
        """To make the change output now and to spend it some day."""
        return self.change_fee_sat + share_sat(self.input_wu, self.long_term_sat_kvb)

    @property
    def target_sat(self) -> int:
        """What the effective values have to reach where there is no change."""
        bare_wu = frame_wu(1, len(self.scripts)) + sum(map(output_wu, self.scripts))
        return self.amount_sat + share_sat(bare_wu + WITNESS_SCALE, self.rate_sat_kvb)  # the size rounds up by < 4 WU

    def weight_wu(self, inputs: int, *, change: bool) -> int:
        """Of the whole transaction."""
        scripts = (*self.scripts, self.change_script) if change else self.scripts
        return frame_wu(inputs, len(scripts)) + inputs * self.input_wu + sum(map(output_wu, scripts))


class Selection(NamedTuple):
    """Chosen coins; `change_sat` is 0 where there is no change output. Amounts, fee and change add up exactly."""

    coins: tuple[Coin, ...]
    change_sat: int
    fee_sat: int
    weight_wu: int
    waste_sat: int


def input_wu(witness_wu: int) -> int:
    """Weight of an input with an empty script and this witness."""
    return INPUT_BASE_WU + witness_wu


def select(coins: Iterable[Coin], shape: Shape, random: Random, required: Sequence[Coin] = ()) -> Selection:
    """The selection of least waste that holds all `required` coins; Denied where the coins do not suffice."""
    needed = {coin.outpoint for coin in required}
    worth = sorted(
        (coin for coin in coins if coin.outpoint not in needed and coin.amount_sat > shape.input_fee_sat),
        key=lambda coin: (-coin.amount_sat, coin.outpoint),
    )
    found = [
        selection
        for chosen in (_exact(worth, shape, required), *_drawn(worth, shape, required, random))
        if chosen is not None and (selection := _settled((*required, *chosen), shape)) is not None
    ]
    if found:
        return min(found, key=lambda selection: (selection.waste_sat, len(selection.coins)))
    have_sat = sum(coin.amount_sat for coin in (*required, *worth[: shape.most_inputs - len(required)]))
    raise Denied(
        SigningRefusal.INSUFFICIENT,
        f"{have_sat} sat in the {min(len(worth) + len(required), shape.most_inputs)} largest free coins do not pay "
        f"{shape.amount_sat} sat and the fee; wait for confirmations, release a proposal or consolidate",
    )


def _effective(coins: Sequence[Coin], shape: Shape) -> list[int]:
    return [coin.amount_sat - shape.input_fee_sat for coin in coins]


def _exact(coins: Sequence[Coin], shape: Shape, required: Sequence[Coin]) -> tuple[Coin, ...] | None:
    """Branch and bound, depth first, coins by falling value: a set that needs no change, of the least excess found."""
    values, room = _effective(coins, shape), shape.most_inputs - len(required)
    reach = [*accumulate(reversed(values), initial=0)][::-1]
    # shares round up, the target by a whole vbyte; what is exact is asked for each candidate
    slack = len(values) + len(required) + 2 + share_sat(WITNESS_SCALE, shape.rate_sat_kvb)
    low = shape.target_sat - sum(_effective(required, shape)) - slack
    high = low + shape.change_cost_sat + 2 * slack
    fixed_sat = sum(coin.amount_sat for coin in required) - shape.amount_sat
    best: tuple[int, tuple[int, ...]] | None = None
    stack: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, ())]
    for _ in range(_TRIES):
        if not stack:
            break
        place, total, taken = stack.pop()
        if total >= low and (taken or required):
            fee = fee_sat(shape.weight_wu(len(taken) + len(required), change=False), shape.rate_sat_kvb)
            excess = fixed_sat + sum(coins[chosen].amount_sat for chosen in taken) - fee
            if 0 <= excess <= shape.change_cost_sat and (best is None or excess < best[0]):
                best = (excess, taken)
            if excess >= 0:
                continue
        if place == len(values) or total + reach[place] < low or len(taken) >= room:
            continue
        skip = place + 1
        while skip < len(values) and values[skip] == values[place]:  # of equal coins the first stands for all
            skip += 1
        stack.append((skip, total, taken))
        if total + values[place] <= high:
            stack.append((place + 1, total + values[place], (*taken, place)))
    return None if best is None else tuple(coins[place] for place in best[1])


def _drawn(
    coins: Sequence[Coin], shape: Shape, required: Sequence[Coin], random: Random
) -> Iterable[tuple[Coin, ...] | None]:
    """Coins in several random orders and by falling value, each taken until target and a spendable change are there."""
    wanted = shape.target_sat + shape.change_fee_sat + shape.change_dust_sat
    for draw in range(_DRAWS + 1):
        order = list(coins) if draw == 0 else random.sample(coins, len(coins))
        yield _until(order, shape, required, wanted)
    yield _until(list(coins), shape, required, shape.target_sat)


def _until(order: Sequence[Coin], shape: Shape, required: Sequence[Coin], wanted_sat: int) -> tuple[Coin, ...] | None:
    chosen: list[Coin] = []
    total = sum(_effective(required, shape))
    for coin in order:
        if total >= wanted_sat or len(chosen) + len(required) >= shape.most_inputs:
            break
        chosen.append(coin)
        total += coin.amount_sat - shape.input_fee_sat
    return tuple(chosen) if total >= wanted_sat else None


def _settled(coins: tuple[Coin, ...], shape: Shape) -> Selection | None:
    """Fee and change of a choice, exactly; None where it does not pay."""
    if not coins:
        return None
    total_sat = sum(coin.amount_sat for coin in coins)
    with_change_wu = shape.weight_wu(len(coins), change=True)
    fee = fee_sat(with_change_wu, shape.rate_sat_kvb)
    change_sat = total_sat - shape.amount_sat - fee
    timing = len(coins) * (shape.input_fee_sat - share_sat(shape.input_wu, shape.long_term_sat_kvb))
    if change_sat >= max(shape.change_dust_sat, 1) and change_sat > shape.change_cost_sat - shape.change_fee_sat:
        return Selection(coins, change_sat, fee, with_change_wu, timing + shape.change_cost_sat)
    weight_wu = shape.weight_wu(len(coins), change=False)
    least_fee, fee = fee_sat(weight_wu, shape.rate_sat_kvb), total_sat - shape.amount_sat
    if fee < least_fee:
        return None
    return Selection(coins, 0, fee, weight_wu, timing + fee - least_fee)
