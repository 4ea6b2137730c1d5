"""Hash windows from one true signal: the running sum of work, sampled into a fine and a coarse ring.

The mean over any window is a difference of two sums, so 5 s, 1 min and 15 min disagree exactly as the signal does.
"""

import math

import numpy as np

from hardware_sims.physics.columns import Floats


class WorkRing:
    """The running sum of work (10^12 hashes) of n machines at the last `length` instants, `period_s` apart."""

    def __init__(self, machines: int, period_s: float, length: int) -> None:
        self._period_s = period_s
        self._times = np.full(length, -np.inf)
        self._work = np.zeros((length, machines))
        self._next = 0
        self._due_s = -math.inf

    def push(self, now_s: float, work_th: Floats) -> None:
        """Take a sample if one is due."""
        if now_s < self._due_s:
            return
        self._times[self._next] = now_s
        self._work[self._next] = work_th
        self._next = (self._next + 1) % len(self._times)
        self._due_s = now_s + self._period_s

    def work_at(self, row: int, time_s: float) -> float | None:
        """Interpolated; None for a time before the ring's memory."""
        times = np.roll(self._times, -self._next)
        at = int(np.searchsorted(times, time_s, side="right"))
        if at == 0 or not math.isfinite(times[at - 1]):
            return None
        first = (self._next + at - 1) % len(times)
        if at == len(times):
            return float(self._work[first, row])
        second = (first + 1) % len(times)
        share = (time_s - times[at - 1]) / (times[at] - times[at - 1])
        return float(self._work[first, row] + share * (self._work[second, row] - self._work[first, row]))

    def row(self, index: int) -> "WorkRing":
        """A copy for one machine."""
        copy = WorkRing(1, self._period_s, len(self._times))
        copy._times, copy._next, copy._due_s = self._times.copy(), self._next, self._due_s
        copy._work = self._work[:, index : index + 1].copy()
        return copy


class WorkHistory:
    """About a minute finely and an hour coarsely. Windows beyond an hour are means since the process started."""

    def __init__(self, machines: int) -> None:
        self._fine = WorkRing(machines, 1.0, 90)
        self._coarse = WorkRing(machines, 10.0, 372)

    def push(self, now_s: float, work_th: Floats) -> None:
        self._fine.push(now_s, work_th)
        self._coarse.push(now_s, work_th)

    def work_at(self, row: int, time_s: float) -> float | None:
        work = self._fine.work_at(row, time_s)
        return self._coarse.work_at(row, time_s) if work is None else work

    def row(self, index: int) -> "WorkHistory":
        copy = WorkHistory(1)
        copy._fine, copy._coarse = self._fine.row(index), self._coarse.row(index)
        return copy
