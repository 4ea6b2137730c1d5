import pytest

from hardware_sims.clock import SimulatedClock


def test_time_runs_with_the_factor_and_never_jumps():
    real = [100.0]
    clock = SimulatedClock(1.0, start_unix_s=1e9, source=lambda: real[0])
    real[0] += 10
    assert clock.now_s() == pytest.approx(10)
    clock.set_factor(60)
    assert clock.now_s() == pytest.approx(10)
    real[0] += 2
    assert clock.now_s() == pytest.approx(130)
    clock.set_factor(0)
    real[0] += 1000
    assert clock.now_s() == pytest.approx(130)
    assert clock.unix_s(clock.now_s()) == pytest.approx(1e9 + 130)
