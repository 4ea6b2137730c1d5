"""The way from what runs to what was decided: all steps down first, then waves of steps up that every feeder can carry.

While a miner changes it counts at the larger of its old and its new draw, so a wave is released only into room that a
meter or the miners themselves have shown to be there.
"""

from dataclasses import dataclass

import numpy as np

from controller.mining.dispatch.problem import Problem
from controller.mining.dispatch.room import admit
from controller.mining.fleet.array import Ints


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much may be started at once: inrush, fans and pools want a stagger."""

    wave_miners: int = 500
    wave_w: int = 2_000_000


@dataclass(frozen=True, eq=False)
class Transition:
    """Positions of miners in the problem. `waves` follow each other, each after the one before it was confirmed.

    `blocked` are steps up that no feeder has room for even then, because the load in place is above the plan.
    """

    downs: Ints
    waves: tuple[Ints, ...]
    blocked: Ints


def carried_w(limits: Problem, problem: Problem, safe_w: Ints, stay: Ints) -> Ints:
    """What each feeder carries now, so that its room is the lesser of two: under its limit by the larger of meter and
    count, under its target by the model in whose watts the target is.
    """
    load_w = problem.load_w(stay)
    room_w = np.minimum(limits.limit_w - np.maximum(safe_w, load_w), problem.limit_w - load_w)
    return np.asarray(problem.limit_w - room_w, np.int64)


def stage(problem: Problem, mode: Ints, load_w: Ints, pace: Pace) -> Transition:
    """Order the changes from `problem.current` to `mode`. `load_w` is what each feeder carries now (`carried_w`).

    Downs go first where they cost least per watt; ups where they earn most.
    """
    everyone = np.arange(len(problem))
    changes = problem.free & (problem.current >= 0) & (mode != problem.current)
    step_w = problem.power_w[mode, everyone] - problem.power_w[problem.current, everyone]
    gain = problem.value_usd_h[mode, everyone] - problem.value_usd_h[problem.current, everyone]
    worth = gain / np.maximum(np.abs(step_w), 1)
    downs = np.flatnonzero(changes & (step_w < 0))
    ups = np.flatnonzero(changes & (step_w > 0))
    downs = downs[np.argsort(-worth[downs], kind="stable")]
    ups = ups[np.argsort(-worth[ups], kind="stable")]
    room_w = problem.limit_w - load_w - _below(problem, downs, step_w)
    waves = []
    while ups.size:
        wave = _next_wave(problem, ups, step_w, room_w, pace)
        if not wave.size:
            break
        waves.append(wave)
        room_w = room_w - _below(problem, wave, step_w)
        ups = ups[~np.isin(ups, wave)]
    return Transition(downs, tuple(waves), ups)


def first_wave(problem: Problem, mode: Ints, load_w: Ints, pace: Pace) -> Ints:
    """The steps up that the room of this moment carries, before any step down has been confirmed."""
    held = np.where(problem.power_w[mode, np.arange(len(problem))] < _current_w(problem), problem.current, mode)
    transition = stage(problem, held, load_w, pace)
    return transition.waves[0] if transition.waves else np.zeros(0, np.int64)


def _next_wave(problem: Problem, ups: Ints, step_w: Ints, room_w: Ints, pace: Pace) -> Ints:
    ups = ups[: pace.wave_miners]
    ups = ups[: max(1, int(np.searchsorted(np.cumsum(step_w[ups]), pace.wave_w, side="right")))]
    return ups[admit(problem.tree, room_w, problem.feeder[ups], step_w[ups])]


def _below(problem: Problem, miners: Ints, step_w: Ints) -> Ints:
    own = np.bincount(problem.feeder[miners], weights=step_w[miners], minlength=len(problem.tree))
    return problem.tree.below(own.astype(np.int64))


def _current_w(problem: Problem) -> Ints:
    return np.where(problem.current >= 0, problem.power_w[problem.current, np.arange(len(problem))], 0)
