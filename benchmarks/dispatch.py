"""How fast dispatch decides and how far it may be from the best, beside HiGHS on the same problem in the same run.

`--set sizes=1000,10000` chooses fleets, `--set highs_up_to=10000` how large a problem HiGHS gets in every scenario;
of larger ones it gets the tight one. Milliseconds depend on the machine and its load; gaps and ratios carry over.
"""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.dispatch_fleet import SCENARIOS, fleet_problem
from benchmarks.dispatch_highs import solve_lp, solve_milp
from benchmarks.options import Options
from controller.mining.dispatch.decision import Decision, decide, increments_of
from controller.mining.dispatch.hull import Increments
from controller.mining.dispatch.problem import Problem

NAME = "dispatch"
_MILP_UP_TO = 1_000
_SWITCH_USD_H = 0.03


def run(options: Options) -> dict[str, object]:
    """Cases by fleet size and scenario: `median_ms` of a whole decision with its audit, from prices to certificate."""
    sizes = options.word("sizes", "1000" if options.quick else "1000,10000,100000")
    repeats = options.number("repeats", full=9, quick=3)
    highs_up_to = options.number("highs_up_to", full=10_000, quick=1_000)
    cases = [
        _case(int(size), scenario, repeats, highs=int(size) <= highs_up_to or scenario == "tight", quick=options.quick)
        for size in sizes.split(",")
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
    problem = fleet_problem(miners, scenario)
    begun_s = perf_counter()
    order = increments_of(problem)
    order_ms = (perf_counter() - begun_s) * 1e3
    decision = decide(problem, order)
    times_ms = sorted(_timed(problem, order, repeats))
    costly = list(_timed(replace(problem, switch_usd_h=_SWITCH_USD_H), None, max(1, repeats // 3)))
    certificate = decision.certificate
    found: dict[str, object] = {
        "miners": miners,
        "scenario": scenario,
        "solver": "numpy",
        "feeders": len(problem.tree),
        "increments": len(order.miner),
        "median_ms": round(median(times_ms), 2),
        "worst_ms": round(times_ms[-1], 2),
        "order_ms": round(order_ms, 1),
        "switching_median_ms": round(median(costly), 2),
        "gap_pct": _rounded(certificate.gap_pct),
        "gap_usd_h": round(certificate.gap_usd_h, 4),
        "violations": _violations(problem, decision),
    }
    if highs:
        found |= _against_lp(problem, decision, median(times_ms))
    if miners <= _MILP_UP_TO:
        found |= _against_milp(problem, decision, time_limit_s=2.0 if quick else 10.0)
    return found


def _timed(problem: Problem, order: Increments | None, repeats: int) -> Iterator[float]:
    """Milliseconds of decisions, each on a problem that has computed nothing yet."""
    for repeat in range(repeats):
        price = problem.energy_usd_wh * (1 + 0.001 * repeat)
        fresh = replace(problem, energy_usd_wh=price)
        begun_s = perf_counter()
        decide(fresh, order)
        yield (perf_counter() - begun_s) * 1e3


def _violations(problem: Problem, decision: Decision) -> int:
    """Overloaded feeders and forbidden modes, by the audit and by a second count."""
    over = int((problem.load_w(decision.mode) > problem.cap_w).sum())
    forbidden = int(np.sum(decision.mode[problem.free] > problem.high[problem.free]))
    return max(over + forbidden, len(decision.certificate.violations))


def _against_lp(problem: Problem, decision: Decision, ours_ms: float) -> dict[str, object]:
    yardstick = solve_lp(problem)
    bound, objective = yardstick.objective_usd_h, decision.certificate.objective_usd_h
    return {
        "highs_lp_ms": round(yardstick.solve_ms, 1),
        "highs_lp_time_ratio": round(yardstick.solve_ms / ours_ms, 1),
        "gap_to_highs_lp_pct": _rounded(100 * (bound - objective) / bound if bound > 0 else None),
        "bound_minus_highs_lp_usd_h": round(decision.certificate.bound_usd_h - bound, 9),
    }


def _against_milp(problem: Problem, decision: Decision, time_limit_s: float) -> dict[str, object]:
    yardstick = solve_milp(problem, time_limit_s=time_limit_s)
    found, ours = yardstick.objective_usd_h, decision.certificate.objective_usd_h
    return {
        "highs_milp_ms": round(yardstick.solve_ms, 1),
        "below_highs_milp_pct": _rounded(100 * (found - ours) / found if found > 0 else None),
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
