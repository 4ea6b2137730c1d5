"""The yardstick: the same dispatch problem given to HiGHS in its best form.

Steps of the hulls (LP) or modes (MILP) are columns, each feeder's load is a variable of its own, so that the tree
is a flow with few entries, and watts are scaled to kilowatts.
"""

from dataclasses import dataclass
from time import perf_counter

import highspy
import numpy as np

from controller.mining.dispatch.hull import steps_of
from controller.mining.dispatch.problem import Problem
from controller.mining.fleet.array import Floats, Ints
from controller.mining.fleet.tree import NO_LIMIT_W

_W_PER_KW = 1_000.0


@dataclass(frozen=True, eq=False)
class Optimum:
    """`objective_usd_h` of the free miners, `bound_usd_h` as far as HiGHS proved it, `price_usd_wh` per feeder (LP)."""

    objective_usd_h: float
    bound_usd_h: float
    price_usd_wh: Floats
    solve_ms: float


@dataclass(frozen=True, eq=False)
class _Columns:
    """Choices: watts, worth and feeder of each; `offset` is worth that no choice changes; `miner` groups modes."""

    watts: Floats
    worth: Floats
    feeder: Ints
    miner: Ints
    offset: float


def solve_lp(problem: Problem) -> Optimum:
    """The linear relaxation over the hull steps."""
    steps = steps_of(problem)
    watts = steps.step_w.astype(np.float64)
    base = float(problem.value_usd_h[0, problem.free].sum())
    columns = _Columns(watts, steps.slope_usd_wh * watts, problem.feeder[steps.miner], steps.miner, base)
    return _solve(problem, columns, whole=False)


def solve_milp(problem: Problem, time_limit_s: float = 20.0, relative_gap: float = 1e-6) -> Optimum:
    """The problem itself: one binary for every step from the lowest mode to another."""
    mode, miner = np.nonzero(problem.allowed & (problem.power_w > problem.power_w[0]))
    columns = _Columns(
        watts=(problem.power_w[mode, miner] - problem.power_w[0, miner]).astype(np.float64),
        worth=problem.value_usd_h[mode, miner] - problem.value_usd_h[0, miner],
        feeder=problem.feeder[miner],
        miner=miner,
        offset=float(problem.value_usd_h[0, problem.free].sum()),
    )
    return _solve(problem, columns, whole=True, time_limit_s=time_limit_s, relative_gap=relative_gap)


def _solve(
    problem: Problem, columns: _Columns, *, whole: bool, time_limit_s: float = 600.0, relative_gap: float = 1e-6
) -> Optimum:
    model = _model(problem, columns, whole=whole)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no types for it
    for option, value in (("output_flag", False), ("time_limit", time_limit_s), ("mip_rel_gap", relative_gap)):
        solver.setOptionValue(option, value)
    solver.passModel(model)
    begun = perf_counter()
    status = solver.run()
    solve_ms = (perf_counter() - begun) * 1e3
    info = solver.getInfo()
    if status == highspy.HighsStatus.kError or info.primal_solution_status != 2:
        raise RuntimeError(f"HiGHS: {solver.modelStatusToString(solver.getModelStatus())}")
    duals = np.abs(np.asarray(solver.getSolution().row_dual[: len(problem.tree)])) / _W_PER_KW
    objective = float(info.objective_function_value)
    return Optimum(objective, float(info.mip_dual_bound) if whole else objective, duals, solve_ms)


def _model(problem: Problem, columns: _Columns, *, whole: bool) -> highspy.HighsLp:
    """Rows: for each feeder, steps below + loads of its children − its load = 0; for MILP one choice for each miner."""
    tree, count = problem.tree, len(columns.watts)
    room_kw = (problem.limit_w - problem.base_load_w) / _W_PER_KW
    room_kw[problem.cap_w >= NO_LIMIT_W] = highspy.kHighsInf
    load = count + np.arange(len(tree))
    inner = np.flatnonzero(tree.parent >= 0)
    chosen = np.unique(columns.miner) if whole else np.zeros(0, np.int64)
    choice_row = len(tree) + np.searchsorted(chosen, columns.miner) if whole else np.zeros(0, np.int64)
    row = np.concatenate((columns.feeder, tree.parent[inner], np.arange(len(tree)), choice_row))
    column = np.concatenate((np.arange(count), load[inner], load, np.arange(len(choice_row))))
    entry = np.concatenate(
        (columns.watts / _W_PER_KW, np.ones(len(inner)), -np.ones(len(tree)), np.ones(len(choice_row)))
    )
    order = np.lexsort((column, row))
    rows = len(tree) + len(chosen)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = count + len(tree), rows
    lp.sense_, lp.offset_ = highspy.ObjSense.kMaximize, columns.offset
    lp.col_cost_ = np.concatenate((columns.worth, np.zeros(len(tree))))
    lp.col_lower_ = np.zeros(count + len(tree))
    lp.col_upper_ = np.concatenate((np.ones(count), room_kw))
    lp.row_lower_ = np.concatenate((np.zeros(len(tree)), np.full(len(chosen), -highspy.kHighsInf)))
    lp.row_upper_ = np.concatenate((np.zeros(len(tree)), np.ones(len(chosen))))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=rows)))).astype(np.int32)
    lp.a_matrix_.index_ = column[order].astype(np.int32)
    lp.a_matrix_.value_ = entry[order]
    if whole:
        kinds = [highspy.HighsVarType.kInteger] * count + [highspy.HighsVarType.kContinuous] * len(tree)
        lp.integrality_ = kinds
    return lp
