"""Coins are chosen so that everything adds up to the satoshi, and with little waste."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.signing.fee import fee_sat, transaction_wu
from controller.signing.model import Coin
from controller.signing.refusal import SigningRefusal
from controller.signing.selection import Shape, input_wu, select
from shared.errors import Denied

WSH = b"\x00\x20" + bytes(32)
WITNESS_WU = 254


def coin(amount_sat: int, number: int = 0) -> Coin:
    return Coin(
        txid=f"{number:064x}", vout=0, amount_sat=amount_sat, script=WSH, branch=0, index=0, height=1, previous_tx=b""
    )


def shape(amount_sat: int, rate: int = 5_000, *, dust: int = 330, scripts: tuple[bytes, ...] = (WSH,)) -> Shape:
    return Shape(scripts, amount_sat, input_wu(WITNESS_WU), WSH, dust, rate, rate)


def test_a_coin_that_fits_exactly_needs_no_change() -> None:
    wanted = shape(100_000)
    exact = 100_000 + fee_sat(wanted.weight_wu(1, change=False), 5_000)
    chosen = select([coin(500_000, 1), coin(exact, 2), coin(90_000, 3)], wanted, Random(1))
    assert [c.amount_sat for c in chosen.coins] == [exact]
    assert chosen.change_sat == 0
    assert chosen.fee_sat == exact - 100_000


def test_two_coins_that_fit_together_are_found_among_many() -> None:
    wanted = shape(1_000_000)
    fee = fee_sat(wanted.weight_wu(2, change=False), 5_000)
    coins = [coin(700_001 + 17 * n, n) for n in range(30)]
    coins += [coin(400_000 + fee, 100), coin(600_000, 101)]
    chosen = select(coins, wanted, Random(1))
    assert sorted(c.amount_sat for c in chosen.coins) == [400_000 + fee, 600_000]
    assert chosen.change_sat == 0


def test_without_a_match_the_rest_comes_back_as_change() -> None:
    chosen = select([coin(5_000_000)], shape(1_000_000), Random(1))
    assert chosen.change_sat == 4_000_000 - chosen.fee_sat
    assert chosen.weight_wu == transaction_wu(1, WITNESS_WU, [WSH, WSH])
    assert chosen.fee_sat == fee_sat(chosen.weight_wu, 5_000)


def test_change_below_dust_goes_to_the_fee() -> None:
    wanted = shape(100_000)
    least = 100_000 + fee_sat(wanted.weight_wu(1, change=False), 5_000)
    chosen = select([coin(least + 300)], wanted, Random(1))
    assert (chosen.change_sat, chosen.fee_sat) == (0, least + 300 - 100_000)


def test_coins_that_cost_more_than_they_bring_stay() -> None:
    dusty = [coin(300, n) for n in range(2, 60)]
    chosen = select([*dusty, coin(2_000_000, 1)], shape(1_000_000, 20_000), Random(1))
    assert len(chosen.coins) == 1


def test_required_coins_are_spent_whatever_they_cost() -> None:
    mine = coin(200, 9)
    chosen = select([coin(2_000_000, 1)], shape(1_000_000), Random(1), required=[mine])
    assert mine in chosen.coins


def test_many_coins_are_gathered_while_fees_are_low_and_few_while_they_are_high() -> None:
    coins = [coin(100_000 + n, n) for n in range(40)]
    low = Shape((WSH,), 150_000, input_wu(WITNESS_WU), WSH, 330, 1_000, 30_000)
    assert len(select(coins, low, Random(1)).coins) >= 2
    high = low._replace(rate_sat_kvb=30_000, long_term_sat_kvb=1_000, amount_sat=80_000)
    assert len(select(coins, high, Random(1)).coins) == 1


def test_too_little_is_refused_by_name() -> None:
    with pytest.raises(Denied) as refused:
        select([coin(100_000, n) for n in range(5)], shape(500_000), Random(1))
    assert refused.value.rule == SigningRefusal.INSUFFICIENT
    with pytest.raises(Denied):
        select([], shape(1), Random(1))


def test_equal_coins_in_great_number_take_no_time() -> None:
    chosen = select([coin(10_000, n) for n in range(5_000)], shape(1_000_003), Random(1))
    assert len(chosen.coins) <= 252


@given(
    st.lists(st.integers(1_000, 10**9), min_size=1, max_size=40),
    st.integers(1_000, 10**9),
    st.integers(100, 300_000),
    st.integers(0, 2**32),
)
def test_inputs_always_equal_outputs_and_fee(amounts: list[int], amount_sat: int, rate_sat_kvb: int, seed: int) -> None:
    coins = [coin(amount, number) for number, amount in enumerate(amounts)]
    wanted = shape(amount_sat, rate_sat_kvb)
    best = sum(max(0, amount - wanted.input_fee_sat) for amount in amounts)
    if best < wanted.target_sat:
        with pytest.raises(Denied) as refused:
            select(coins, wanted, Random(seed))
        assert refused.value.rule == SigningRefusal.INSUFFICIENT
        return
    chosen = select(coins, wanted, Random(seed))
    assert sum(c.amount_sat for c in chosen.coins) == amount_sat + chosen.change_sat + chosen.fee_sat
    assert len({c.outpoint for c in chosen.coins}) == len(chosen.coins)
    assert chosen.change_sat == 0 or chosen.change_sat >= 330
    assert chosen.fee_sat >= fee_sat(chosen.weight_wu, rate_sat_kvb)
    scripts = [WSH, WSH] if chosen.change_sat else [WSH]
    assert chosen.weight_wu == transaction_wu(len(chosen.coins), WITNESS_WU, scripts)
