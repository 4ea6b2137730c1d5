"""How fast dispatch decides and how far it may be from the best, beside HiGHS on the same problem in the same run.

Cases are set as the service sets them: a change of mode costs what `Policy` says, and the fleet runs as it was last
decided while prices move. Three harder settings stand beside it: `curtailed`, every limit has just fallen to 90 %;
`cold`, every miner is asleep; `free_switching`, cold and without costs of changes. Where limits fall below what runs,
the bound counts costs of changes by fractions and lies far above any decision: `below_highs_milp_pct` says how far.
`--set sizes=1000,10000` chooses fleets, `--set highs_up_to=10000` how large a problem HiGHS gets in every scenario;
of larger ones it gets the tight one. Milliseconds depend on the machine and its load; gaps and ratios carry over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, cycle, islice
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.dispatch_fleet import SCENARIOS, fleet_problem
from benchmarks.dispatch_highs import solve_lp, solve_milp
from benchmarks.options import Options
from controller.mining.dispatch.decision import Decision, decide
from controller.mining.dispatch.formulate import Policy
from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.tree import NO_LIMIT_W

NAME = "dispatch"
SETTINGS = ("sizes", "repeats", "highs_up_to")
_MILP_UP_TO = 1_000
_PRICES = (1.1, 0.9, 1.3, 1.0, 0.7, 0.8, 1.2, 1.5, 1.0)  # of the scenario's own price, one decision after the other
_FALLEN = 0.9  # what every limit falls to


@dataclass(frozen=True, eq=False)
class _Run:
    """One decision from prices to certificate, on a problem that had computed nothing yet."""

    problem: Problem
    decision: Decision
    took_ms: float


def run(options: Options) -> dict[str, object]:
    """Cases by fleet size and scenario: `median_ms` of a whole decision with its audit, from prices to certificate."""
    sizes = options.numbers("sizes", full=(1_000, 10_000, 100_000), quick=(1_000,))
    repeats = options.number("repeats", full=len(_PRICES), quick=3, least=1)
    highs_up_to = options.number("highs_up_to", full=10_000, quick=1_000)
    cases = [
        _case(size, scenario, repeats, highs=size <= highs_up_to or scenario == "tight", quick=options.quick)
        for size in sizes
        for scenario in SCENARIOS
    ]
    largest = [case for case in cases if case["miners"] == max(int(str(case["miners"])) for case in cases)]
    return {
        "cases": cases,
        "violations": sum(int(str(case["violations"])) for case in cases),
        "largest_median_ms": max(float(str(case["median_ms"])) for case in largest),
        "largest_gap_pct": max(float(str(case["gap_pct"])) for case in largest),
    }


def _case(miners: int, scenario: str, repeats: int, *, highs: bool, quick: bool) -> dict[str, object]:
    asleep = replace(fleet_problem(miners, scenario), switch_usd_h=Policy().switch_usd_h)
    few = range(max(1, repeats // 3))
    cold = [_timed(asleep) for _ in few]
    running = _in_turn(asleep, cold[-1].decision, repeats)
    last = running[-1]
    harder = {
        "curtailed": [_timed(_curtailed(last.problem, last.decision)) for _ in few],
        "cold": cold,
        "free_switching": [_timed(replace(asleep, switch_usd_h=0.0)) for _ in few],
    }
    found: dict[str, object] = {
        "miners": miners,
        "scenario": scenario,
        "solver": "numpy",
        "feeders": len(asleep.tree),
        "changed_most": max(int((one.decision.mode != one.problem.current).sum()) for one in running),
        "median_ms": _median_ms(running),
        "worst_ms": round(max(one.took_ms for one in running), 2),
        "gap_pct": _widest_gap_pct(running),
        "gap_usd_h": round(max(one.decision.certificate.gap_usd_h for one in running), 4),
        "violations": sum(_violations(one) for one in chain(running, *harder.values())),
    }
    for setting, runs in harder.items():
        found |= {f"{setting}_median_ms": _median_ms(runs), f"{setting}_gap_pct": _widest_gap_pct(runs)}
    if highs:
        found |= _against_lp(last)
    if miners <= _MILP_UP_TO:
        limit_s = 2.0 if quick else 10.0
        found["below_highs_milp_pct"] = _below_milp_pct(last, limit_s)
        found["curtailed_below_highs_milp_pct"] = _below_milp_pct(harder["curtailed"][-1], limit_s)
        found["free_switching_below_highs_milp_pct"] = _below_milp_pct(harder["free_switching"][-1], limit_s)
    return found


def _in_turn(problem: Problem, decision: Decision, repeats: int) -> list[_Run]:
    """Decisions at one price after the other, each on the fleet as the one before left it."""
    runs: list[_Run] = []
    for price in islice(cycle(_PRICES), repeats):
        runs.append(_timed(replace(problem, current=decision.mode, energy_usd_wh=problem.energy_usd_wh * price)))
        decision = runs[-1].decision
    return runs


def _curtailed(problem: Problem, decision: Decision) -> Problem:
    """The fleet as decided where every limit has just fallen."""
    fallen_w = (problem.cap_w * _FALLEN).astype(np.int64)
    return replace(problem, current=decision.mode, cap_w=np.where(problem.cap_w < NO_LIMIT_W, fallen_w, problem.cap_w))


def _timed(problem: Problem) -> _Run:
    fresh = replace(problem)
    begun_s = perf_counter()
    decision = decide(fresh, previous=fresh.current)
    return _Run(fresh, decision, (perf_counter() - begun_s) * 1e3)


def _median_ms(runs: Sequence[_Run]) -> float:
    return round(median(one.took_ms for one in runs), 2)


def _widest_gap_pct(runs: Sequence[_Run]) -> float | None:
    gaps = (one.decision.certificate.gap_pct for one in runs)
    return _rounded(max((gap for gap in gaps if gap is not None), default=None))


def _violations(one: _Run) -> int:
    """Overloaded feeders and forbidden modes, by the audit and by a second count."""
    problem, decision = one.problem, one.decision
    over = int((problem.load_w(decision.mode) > problem.cap_w).sum())
    forbidden = int(np.sum(decision.mode[problem.free] > problem.high[problem.free]))
    return max(over + forbidden, len(decision.certificate.violations))


def _against_lp(one: _Run) -> dict[str, object]:
    yardstick, certificate = solve_lp(one.problem), one.decision.certificate
    bound, objective = yardstick.objective_usd_h, certificate.objective_usd_h
    return {
        "highs_lp_ms": round(yardstick.solve_ms, 1),
        "highs_lp_time_ratio": round(yardstick.solve_ms / one.took_ms, 1),
        "gap_to_highs_lp_pct": _rounded(100 * (bound - objective) / bound if bound > 0 else None),
        "bound_minus_highs_lp_usd_h": round(certificate.bound_usd_h - bound, 9),
    }


def _below_milp_pct(one: _Run, time_limit_s: float) -> float | None:
    found = solve_milp(one.problem, time_limit_s=time_limit_s).objective_usd_h
    return _rounded(100 * (found - one.decision.certificate.objective_usd_h) / found if found > 0 else None)


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
