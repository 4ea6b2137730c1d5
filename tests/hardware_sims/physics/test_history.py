import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_sims.physics.history import WorkHistory, WorkRing


def ring(rates: list[float], period_s: float = 1.0, length: int = 16) -> WorkRing:
    """Work of one machine that hashes `rates[i]` in second i."""
    made = WorkRing(1, period_s, length)
    work = np.zeros(1)
    made.push(0.0, work)
    for second, rate in enumerate(rates, start=1):
        work = work + rate
        made.push(float(second), work)
    return made


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=15), st.floats(0, 1))
def test_work_at_any_moment_is_the_integral_of_the_rate(rates, share):
    moment = share * len(rates)
    whole = math.floor(moment)
    expected = sum(rates[:whole]) + (rates[whole] * (moment - whole) if whole < len(rates) else 0.0)
    assert ring(rates).work_at(0, moment) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_a_ring_forgets_and_says_so():
    made = ring([1.0] * 40, length=16)
    assert made.work_at(0, 10.0) is None
    assert made.work_at(0, 30.5) == pytest.approx(30.5)


def test_the_coarse_ring_answers_where_the_fine_one_forgot():
    history = WorkHistory(1)
    for second in range(1200):
        history.push(float(second), np.array([2.0 * second]))
    assert history.work_at(0, 1199.0 - 900.0) == pytest.approx(2 * 299.0)
    assert history.work_at(0, 1195.5) == pytest.approx(2 * 1195.5)


def test_a_copy_of_one_machine_stands_still():
    history = WorkHistory(2)
    history.push(0.0, np.array([1.0, 2.0]))
    copy = history.row(1)
    history.push(1.0, np.array([10.0, 20.0]))
    assert copy.work_at(0, 1.0) == 2.0
