"""Which miners are chosen for a curtailment."""

import pytest

from benchmarks.curtail_view import Candidate, choose


def fleet(*watts: float) -> list[Candidate]:
    return [Candidate(f"m-{at}", "antminer-stock", power_w) for at, power_w in enumerate(watts)]


@pytest.mark.parametrize(
    ("watts", "reduction_w", "chosen"),
    [
        ((3_000, 2_000, 1_000), 3_000, [3_000]),
        ((3_000, 2_000, 1_000), 3_500, [3_000, 1_000]),
        ((3_000, 2_000, 1_000), 500, [1_000]),
        ((3_000, 2_000), 9_000, [3_000, 2_000]),
        ((3_000,), 0, []),
    ],
)
def test_largest_first_and_the_smallest_that_fills_the_rest(watts, reduction_w, chosen):
    assert [one.saves_w for one in choose(fleet(*watts), reduction_w)] == chosen
