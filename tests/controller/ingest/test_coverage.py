import itertools

from hypothesis import given
from hypothesis import strategies as st

from controller.ingest import Coverage

SPANS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 12)).map(lambda t: (t[0], t[0] + t[1])), max_size=30)


@given(SPANS)
def test_is_a_set_of_numbers(spans):
    """Against the plain model: a set."""
    coverage, numbers = Coverage(), set()
    for first, last in spans:
        wanted = set(range(first, last + 1))
        fresh = coverage.add(first, last)
        assert {n for low, high in fresh for n in range(low, high + 1)} == wanted - numbers
        numbers |= wanted
        assert all((number in coverage) == (number in numbers) for number in range(1, 60))
        mark = next(n for n in range(61) if n + 1 not in numbers)
        assert coverage.mark == mark


@given(SPANS)
def test_keeps_disjoint_ranges_that_do_not_touch(spans):
    coverage = Coverage()
    for first, last in spans:
        coverage.add(first, last)
    edges = [(0, coverage.mark), *coverage.ahead]
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(edges))


@given(SPANS)
def test_restored_from_its_parts_it_is_the_same(spans):
    coverage = Coverage()
    for first, last in spans:
        coverage.add(first, last)
    again = Coverage(coverage.mark, coverage.ahead)
    assert all((number in again) == (number in coverage) for number in range(1, 60))
