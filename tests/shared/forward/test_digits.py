from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.forward.digits import bounds, digits, prefixes


@given(st.integers(2, 10), st.integers(1, 5), st.data())
def test_prefixes_cover_an_interval_exactly_once_and_are_few(base, nb_digits, data):
    size = base**nb_digits
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size - 1))
    found = prefixes(first, last, base=base, nb_digits=nb_digits)
    covered = [bounds(prefix, base=base, nb_digits=nb_digits) for prefix in found]
    assert covered[0][0] == first
    assert covered[-1][1] == last
    assert all(before[1] + 1 == after[0] for before, after in pairwise(covered))
    assert len(found) <= max(1, 2 * (base - 1) * nb_digits)


def test_the_specification_of_prefixes_by_example():
    assert digits(1234, base=10, nb_digits=5) == (0, 1, 2, 3, 4)
    assert prefixes(0, 999, base=10, nb_digits=3) == ((),)
    assert prefixes(135, 142, base=10, nb_digits=3) == (
        (1, 3, 5),
        (1, 3, 6),
        (1, 3, 7),
        (1, 3, 8),
        (1, 3, 9),
        (1, 4, 0),
        (1, 4, 1),
        (1, 4, 2),
    )
    assert prefixes(100, 209, base=10, nb_digits=3) == ((1,), (2, 0))


@pytest.mark.parametrize(("first", "last"), [(5, 4), (-1, 3), (0, 1000)])
def test_what_is_no_interval_is_refused(first, last):
    with pytest.raises(ValueError, match="interval"):
        prefixes(first, last, base=10, nb_digits=3)
