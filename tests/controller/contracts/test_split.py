import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.contracts.split import largest_remainder


def test_the_largest_remainders_get_the_odd_satoshis():
    assert largest_remainder(100, (1, 1, 1)) == (34, 33, 33)
    assert largest_remainder(10, (15, 25, 60)) == (2, 2, 6)
    assert largest_remainder(0, (3, 2)) == (0, 0)
    assert largest_remainder(7, (0, 5)) == (0, 7)


@given(st.integers(0, 21 * 10**14), st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any))
def test_shares_are_exact_and_each_within_a_satoshi_of_its_due(amount_sat, weights):
    shares = largest_remainder(amount_sat, weights)
    assert sum(shares) == amount_sat
    total = sum(weights)
    assert all(abs(share * total - amount_sat * weight) < total for share, weight in zip(shares, weights, strict=True))


@pytest.mark.parametrize(("amount_sat", "weights"), [(-1, (1,)), (5, ()), (5, (0, 0)), (5, (2, -1))])
def test_nonsense_is_refused(amount_sat, weights):
    with pytest.raises(ValueError, match="weights"):
        largest_remainder(amount_sat, weights)
