import ctypes

import pytest

from agent.health import clock_quality
from agent.health.clock_quality import ClockReport, StepDetector, kernel_report
from shared.states import ClockQuality


class Kernel:
    """Answers adjtimex(2) with what a test wants."""

    def __init__(self, state: int, status: int = 0, maxerror: int = 0) -> None:
        self._answer = (state, status, maxerror)

    def adjtimex(self, pointer) -> int:
        state, pointer._obj.status, pointer._obj.maxerror = self._answer
        assert pointer._obj.modes == 0, "the clock is only asked, never set"
        return state


CASES = (
    (Kernel(0, 0x2001, 3_500), ClockReport(ClockQuality.SYNCHRONISED, 3.5)),
    (Kernel(0, 0x40, 16_000_000), ClockReport(ClockQuality.UNSYNCHRONISED, None)),
    (Kernel(5, 0, 100), ClockReport(ClockQuality.UNSYNCHRONISED, None)),
    (Kernel(-1), ClockReport(ClockQuality.UNKNOWN, None)),
)


@pytest.mark.parametrize(("kernel", "expected"), CASES)
def test_what_the_kernel_says_of_its_clock(monkeypatch, kernel, expected):
    monkeypatch.setattr(clock_quality.ctypes, "CDLL", lambda *_, **__: kernel)
    assert kernel_report() == expected


def test_the_real_kernel_answers_within_its_structure():
    assert ctypes.sizeof(clock_quality._Timex) >= 208
    report = kernel_report()
    assert report.error_ms is None or 0 <= report.error_ms < 1e6


class TwoClocks:
    def __init__(self) -> None:
        self.wall_ms, self.steady_s = 1_700_000_000_000, 50.0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_s(self) -> float:
        return self.steady_s


@pytest.mark.parametrize(
    ("wall_s", "steady_s", "stepped"), [(10, 10, False), (10.9, 10, False), (12, 10, True), (-5, 1, True)]
)
def test_a_step_is_told_once(wall_s, steady_s, stepped):
    clock = TwoClocks()
    detector = StepDetector(clock)
    clock.wall_ms += int(wall_s * 1000)
    clock.steady_s += steady_s
    assert detector.stepped() is stepped
    assert not detector.stepped()
