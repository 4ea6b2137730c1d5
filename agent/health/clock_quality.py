"""Is the clock of this machine disciplined? The kernel tells by adjtimex(2) without modes, which needs no privilege."""

import ctypes

import msgspec

from shared.clock import Clock
from shared.states import ClockQuality

_STA_UNSYNC = 0x40
_TIME_ERROR = 5
_STEP_S = 1.0


class _Timex(ctypes.Structure):
    """Head of `struct timex` on 64-bit Linux; the kernel may fill 208 bytes."""

    _fields_ = (
        ("modes", ctypes.c_int),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


class ClockReport(msgspec.Struct, frozen=True):
    """`error_ms` is the kernel's own bound of the error; None where it does not say."""

    quality: ClockQuality
    error_ms: float | None


def kernel_report() -> ClockReport:
    library = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()
    state = library.adjtimex(ctypes.byref(timex))
    if state < 0:
        return ClockReport(ClockQuality.UNKNOWN, None)
    if state == _TIME_ERROR or timex.status & _STA_UNSYNC:
        return ClockReport(ClockQuality.UNSYNCHRONISED, None)
    return ClockReport(ClockQuality.SYNCHRONISED, timex.maxerror / 1000)


def synchronised() -> bool:
    """Does the kernel say that this machine's clock is disciplined?"""
    return kernel_report().quality is ClockQuality.SYNCHRONISED


class StepDetector:
    """Compares wall and monotonic time from call to call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = (clock.now_ms(), clock.monotonic_s())

    def stepped(self) -> bool:
        """Has the wall clock jumped by more than a second since the last call?"""
        now_ms, now_s = self._clock.now_ms(), self._clock.monotonic_s()
        wall_s, monotonic_s = (now_ms - self._last[0]) / 1000, now_s - self._last[1]
        self._last = (now_ms, now_s)
        return abs(wall_s - monotonic_s) > _STEP_S
