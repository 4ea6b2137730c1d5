"""Curtailments in the model's watts: a limit is a figure of physics and keeps its headroom, a target one of a meter.

Below a feeder with a target nobody climbs, except to land: when nothing moves any more and the meter stands lower than
was asked for, a few miners are let up into that room. Above the target more is shed at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from controller.mining.dispatch.anchor import Anchors
from controller.mining.dispatch.bond import Bonds, named
from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.dispatch.rounding import Draft, refill
from controller.mining.fleet.array import Bools, Ints
from controller.mining.fleet.snapshot import SiteSnapshot


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Shed to `margin_pct` below the target, for the noise of its meter. At rest let miners up again only where the
    meter stands more than `tolerance_pct` below it; while something moves, only into room beyond `rough_pct`.
    """

    margin_pct: float = 0.1
    tolerance_pct: float = 0.5
    rough_pct: float = 5.0

    def shed_to_w(self, target_w: int) -> float:
        return target_w * (1 - self.margin_pct / 100)

    def short(self, expected_w: float, target_w: int, *, at_rest: bool) -> bool:
        return expected_w < target_w * (1 - (self.tolerance_pct if at_rest else self.rough_pct) / 100)

    def fill_to_w(self, target_w: int, *, at_rest: bool) -> float:
        return self.shed_to_w(target_w) if at_rest else target_w * (1 - self.rough_pct / 100)


@dataclass(frozen=True)
class Landing:
    """`expected_w`: what the feeder's meter will show once all that is under way has come about; None where nobody can
    say. `short`: its meter stands too low, and miners that fit into the room are let up.
    """

    feeder: str
    target_w: int
    expected_w: float | None
    short: bool = False


@dataclass(frozen=True, eq=False)
class Approach:
    """A problem bound by targets, and how each of them stands."""

    problem: Problem
    landings: tuple[Landing, ...] = ()


def under_targets(
    problem: Problem, anchors: Anchors, targets_w: Mapping[str, int], bonds: Bonds, snapshot: SiteSnapshot, aim: Aim
) -> Approach:
    """Bind `problem`, which knows only limits, by targets of meters; a feeder that left the site binds nothing.

    Without an anchor a target is kept as a limit is: by the count of what may be drawn.
    """
    stay = np.where(problem.free, problem.current, 0)
    load_w = problem.load_w(stay)
    cap_w, landings = problem.cap_w.copy(), []
    curtailed, short = np.zeros(len(problem), np.bool_), np.zeros(len(problem), np.bool_)
    for feeder, target_w in targets_w.items():
        at = problem.tree.index.get(feeder)
        if at is None:
            continue
        landing, bound_w = _landing(problem, anchors, at, target_w, int(load_w[at]), aim)
        cap_w[at] = min(int(cap_w[at]), bound_w)
        below = (problem.feeder >= at) & (problem.feeder < problem.tree.end[at])
        curtailed |= below
        short |= below & landing.short
        landings.append(landing)
    held = np.where(curtailed & problem.free, np.minimum(problem.high, stay), problem.high)
    bound = replace(problem, cap_w=cap_w, high=held)
    return Approach(_trimmed(bound, problem.high, short, bonds, snapshot), tuple(landings))


def bound_load_w(problem: Problem, anchors: Anchors, feeder: int, target_w: int, aim: Aim) -> int:
    """The load of the problem that brings a feeder's meter to its target; the margin is given up where nobody can
    keep it.
    """
    if not anchors.knows(feeder):
        return max(target_w, 0)
    aimed_w = anchors.load_w(feeder, aim.shed_to_w(target_w))
    reached = aimed_w >= int(problem.base_load_w[feeder])
    return max(int(aimed_w if reached else anchors.load_w(feeder, target_w)), 0)


def _landing(problem: Problem, anchors: Anchors, at: int, target_w: int, load_w: int, aim: Aim) -> tuple[Landing, int]:
    """How a feeder stands to its target while it carries `load_w`, and the load that it is bound to."""
    feeder = problem.tree.ids[at]
    bound_w = bound_load_w(problem, anchors, at, target_w, aim)
    if not anchors.knows(at):
        return Landing(feeder, target_w, None), bound_w
    expected_w, at_rest = anchors.meter_w(at, load_w), bool(anchors.fresh[at])
    short = aim.short(expected_w, target_w, at_rest=at_rest)
    if short:
        bound_w = int(anchors.load_w(at, aim.fill_to_w(target_w, at_rest=at_rest)))
    elif expected_w <= target_w:
        bound_w = max(bound_w, load_w)
    return Landing(feeder, target_w, expected_w, short), bound_w


def _trimmed(bound: Problem, high: Ints, short: Bools, bonds: Bonds, snapshot: SiteSnapshot) -> Problem:
    """Let up those of the `short` miners that fill the room: the free ones, and only without any such one those that
    changed lately.
    """
    lately = named(snapshot.roster.device_id[: len(bound)], bonds.dwell) & (bound.lock == Lock.DWELL)
    for choice in (short & bound.free, short & lately & (bound.current >= 0)):
        opened = replace(bound, free=bound.free | choice, high=np.where(choice, high, bound.high))
        stay = np.where(opened.free, opened.current, 0)
        draft = Draft.of(opened, stay.copy())
        refill(draft, np.flatnonzero(choice))
        ups = draft.mode != stay
        if ups.any():
            return replace(
                bound,
                free=bound.free | ups,
                lock=np.where(ups, np.int8(Lock.NONE), bound.lock),
                high=np.where(ups, draft.mode, bound.high),
            )
    return bound
