"""Why each miner runs as it does, and what holds each feeder: free from the prices of the relaxation."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from controller.mining.dispatch.decision import Decision
from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.fleet.array import Codes, Floats, Ints
from controller.mining.fleet.tree import NO_LIMIT_W
from shared.units import WH_PER_MWH


class Reason(IntEnum):
    """Why a miner does not draw more."""

    BEST = 0  # it runs in the mode that earns most
    UNPROFITABLE = 1  # idle: no mode earns its energy
    FEEDER_FULL = 2  # a full feeder is worth more than its next step
    REMAINDER = 3  # its step is worth the price, but no whole step fits any more
    LOCKED = 4  # `Problem.lock` says why
    HELD_DOWN = 5  # its higher modes are not allowed now


_LOCK_WORDS = {
    Lock.UNSEEN: "nobody has seen it lately",
    Lock.UNSETTLED: "it is changing its mode",
    Lock.FAULT: "it is stopped by a fault or by hand",
    Lock.NO_CURVE: "nobody knows its power curve",
    Lock.NO_VERB: "it cannot be told another mode",
    Lock.DWELL: "it changed only lately",
    Lock.OPERATOR: "a person holds it",
}


@dataclass(frozen=True, eq=False)
class Explanation:
    """Per miner: the reason, what its next step earns (NaN where there is none), the price of power at its feeder.

    Prices are $/MWh net of energy, and mean nothing where the problem is not `priced`. `binding` is the nearest full
    feeder above, -1 where none is.
    """

    problem: Problem
    decision: Decision
    reason: Codes
    next_step_usd_mwh: Floats
    price_usd_mwh: Floats
    binding: Ints
    priced: bool = True

    def sentence(self, miner: int) -> str:
        """One miner's reason in words; `miner` is its position in the problem."""
        problem, reason = self.problem, Reason(int(self.reason[miner]))
        if reason is Reason.LOCKED:
            counted_w = int(problem.locked_w[miner])
            return f"left as it is, counted at {counted_w:,} W: {_LOCK_WORDS[Lock(int(problem.lock[miner]))]}"
        watts = int(problem.power_w[self.decision.mode[miner], miner])
        if not self.priced:
            full = f": feeder {problem.tree.ids[self.binding[miner]]} is full" if reason is Reason.FEEDER_FULL else ""
            return f"kept at {watts:,} W{full}; nothing is changed for profit now"
        if reason is Reason.BEST:
            return f"at {watts:,} W, where it earns most at this price"
        if reason is Reason.UNPROFITABLE:
            return f"idle at {watts:,} W: no mode earns its energy at this price"
        if reason is Reason.HELD_DOWN:
            return f"held at {watts:,} W: higher modes are not allowed now"
        step = f"its next step earns {self.next_step_usd_mwh[miner]:.2f} USD/MWh"
        if reason is Reason.FEEDER_FULL:
            feeder = problem.tree.ids[self.binding[miner]]
            worth = self.price_usd_mwh[miner]
            return f"held at {watts:,} W: feeder {feeder} is full and worth {worth:.2f} USD/MWh there; {step}"
        return f"held at {watts:,} W: {step}, but no whole step fits what is left above it"

    def feeder_sentence(self, feeder: int) -> str:
        """A feeder's load, limit and what one more kilowatt would be worth."""
        certificate, problem = self.decision.certificate, self.problem
        load_kw = certificate.load_w[feeder] / 1000
        if problem.cap_w[feeder] >= NO_LIMIT_W:
            return f"{problem.tree.ids[feeder]}: {load_kw:,.1f} kW, no limit"
        own = certificate.multiplier_usd_wh[feeder] * 1000
        worth = f"one more kW is worth {own:.4f} USD/h" if self.priced else "full"
        worth = worth if own > 0 else "not full"
        return f"{problem.tree.ids[feeder]}: {load_kw:,.1f} of {problem.cap_w[feeder] / 1000:,.1f} kW, {worth}"


def explain(problem: Problem, decision: Decision, *, priced: bool = True) -> Explanation:
    """Reasons for all miners at once."""
    slope = _next_slope(problem, decision.mode)
    price = decision.price_usd_wh[problem.feeder]
    binding = _nearest_binding(problem, decision)[problem.feeder]
    capped = (decision.mode == problem.high) & (problem.power_w[-1] > problem.power_w[decision.mode, _all(problem)])
    reason = np.full(len(problem), Reason.REMAINDER, np.int8)
    reason[(slope <= price) & (binding >= 0)] = Reason.FEEDER_FULL
    reason[np.isnan(slope) | (slope <= 0)] = Reason.BEST
    reason[(reason == Reason.BEST) & capped] = Reason.HELD_DOWN
    idle = (decision.mode == 0) & (problem.hashrate_ths[0] == 0)
    reason[(reason == Reason.BEST) & idle] = Reason.UNPROFITABLE
    reason[~problem.free] = Reason.LOCKED
    return Explanation(problem, decision, reason, slope * WH_PER_MWH, price * WH_PER_MWH, binding, priced)


def _all(problem: Problem) -> Ints:
    return np.arange(len(problem))


def _next_slope(problem: Problem, mode: Ints) -> Floats:
    """What the best step up earns per watt, $/Wh; NaN where there is no mode above."""
    here_w, here = problem.power_w[mode, _all(problem)], problem.value_usd_h[mode, _all(problem)]
    best = np.full(len(problem), -np.inf)
    for higher in range(1, len(problem.power_w)):
        step_w = problem.power_w[higher] - here_w
        there = (step_w > 0) & (higher <= problem.high)
        slope = (problem.value_usd_h[higher] - here) / np.maximum(step_w, 1)
        np.maximum(best, slope, out=best, where=there)
    return np.where(np.isneginf(best), np.nan, best)


def _nearest_binding(problem: Problem, decision: Decision) -> Ints:
    """For each feeder itself or the nearest one above it that binds; -1 where none does."""
    binds = decision.certificate.multiplier_usd_wh > 0
    nearest = np.where(binds, np.arange(len(problem.tree)), -1)
    for level in problem.tree.levels[1:]:
        inherited = nearest[problem.tree.parent[level]]
        nearest[level] = np.where(binds[level], level, inherited)
    return nearest
