"""From a problem to a decision with its certificate: relax, round down, exchange, refill, audit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.audit import Certificate, audit
from controller.mining.dispatch.exchange import exchange
from controller.mining.dispatch.hull import steps_of
from controller.mining.dispatch.problem import Problem
from controller.mining.dispatch.relax import Relaxation, relax
from controller.mining.dispatch.rounding import Draft, climbers, refill
from controller.mining.fleet.array import Floats, Ints
from shared.errors import SafetyError

_LEAF_ROUNDS = 3  # later rounds gain less than a thousandth of a percent
_INNER_ROUNDS = 2
_SEARCHED_MEMBERS = 256  # the rest that the refill leaves is small against a feeder of more miners
_SEARCHED_PAIRS = 2_000_000  # in a small fleet every feeder is searched


class DecisionUnsound(SafetyError):
    """The audit contradicts the solver: nothing may be released."""

    code = "safety.decision-unsound"
    expected = False


@dataclass(frozen=True, eq=False)
class Decision:
    """One mode for each free miner (0 and without meaning for the others) and the prices that explain it."""

    mode: Ints
    price_usd_wh: Floats
    certificate: Certificate

    def infeasible(self, problem: Problem) -> dict[str, int]:
        """Feeders that no decision could bring below their limit, with the watts that are too many.

        Where there are any, this decision is the one that violates least: everything below them is at its lowest.
        """
        excess_w = problem.base_load_w - problem.cap_w
        return {problem.tree.ids[feeder]: int(excess_w[feeder]) for feeder in problem.overloaded}


def decide(
    problem: Problem,
    *,
    previous: Ints | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> Decision:
    """Decide every free miner's mode. Feasible from the first step on: `enough` ends the improvement early.

    `previous` is kept where it still fits and is no worse. Raises DecisionUnsound where the audit finds what must not
    be.
    """
    steps = steps_of(problem)
    relaxed = relax(problem, steps)
    draft = Draft.of(problem, relaxed.whole_modes(problem, steps))
    improve(draft, relaxed, enough)
    mode = draft.mode
    if previous is not None and problem.fits(previous) and problem.earned_usd_h(previous) >= problem.earned_usd_h(mode):
        mode = previous
    certificate = audit(problem, mode, relaxed.price_usd_wh)
    if not certificate.holds:
        raise DecisionUnsound("; ".join(certificate.violations[:5]))
    return Decision(mode, relaxed.price_usd_wh, certificate)


def improve(draft: Draft, relaxed: Relaxation, enough: Callable[[], bool]) -> None:
    """Exchange below full feeders, leaves first, then let what room is left be used."""
    tree, price_usd_wh = draft.problem.tree, relaxed.price_usd_wh
    above = np.where(tree.parent >= 0, price_usd_wh[tree.parent], 0.0)
    members = np.searchsorted(draft.problem.feeder, tree.end) - np.searchsorted(
        draft.problem.feeder, np.arange(len(tree))
    )
    most = max(_SEARCHED_MEMBERS, _SEARCHED_PAIRS // max(len(draft.problem), 1))
    searched = (price_usd_wh > above) & (members > 1) & (members <= most)
    rounds = _LEAF_ROUNDS
    for level in reversed(tree.levels):
        feeders = level[searched[level]]
        if enough():
            return
        if feeders.size:
            exchange(draft, feeders, above[feeders], rounds)
            rounds = _INNER_ROUNDS
    refill(draft, relaxed.near)
    refill(draft, climbers(draft))
