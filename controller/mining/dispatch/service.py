"""Dispatch of one site: decide on events, order what changed, downs before ups, and keep why.

Everything that is worth a new decision calls `notify`; decisions are solved in a worker thread and never faster than
`min_interval_s`. Blind or without a current price nothing is changed for profit: only limits are still kept.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from controller.mining.dispatch.anchor import Anchors, anchored
from controller.mining.dispatch.audit import Certificate
from controller.mining.dispatch.bond import Bonds
from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.decision import DecisionUnsound, decide
from controller.mining.dispatch.explain import explain
from controller.mining.dispatch.formulate import Policy, formulate, modes_named
from controller.mining.dispatch.landing import Aim, Approach, under_targets
from controller.mining.dispatch.lowered import Lowered
from controller.mining.dispatch.order import Batch, batches
from controller.mining.dispatch.pending import Patience, PendingOrders
from controller.mining.dispatch.ports import Caps, Decisions, Holds, Orders, Prices, TwinView
from controller.mining.dispatch.problem import Problem
from controller.mining.dispatch.quote import Quote
from controller.mining.dispatch.stage import Pace, carried_w, first_wave, stage
from controller.mining.fleet.array import Ints
from controller.mining.fleet.snapshot import SiteSnapshot
from shared.clock import Clock
from shared.errors import BesError, Denied, GatewayUnavailable
from shared.log import get_logger

_log = get_logger(__name__)
ACTOR = "dispatch"


@dataclass(frozen=True, kw_only=True)
class DispatchSettings:
    """`automatic` false decides and explains without ordering. Below `min_fresh_share` the site counts as blind."""

    automatic: bool = True
    min_interval_s: float = 5.0
    min_fresh_share: float = 0.5
    order_expires_s: float = 60.0
    gap_alarm_pct: float = 0.5
    policy: Policy = field(default_factory=Policy)
    aim: Aim = field(default_factory=Aim)
    pace: Pace = field(default_factory=Pace)
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class _Ground:
    """What a decision is made from; immutable."""

    snapshot: SiteSnapshot
    quote: Quote | None
    held: str
    returning: Mapping[str, int]
    targets_w: Mapping[str, int]
    anchors: Anchors
    bonds: Bonds


@dataclass(frozen=True)
class _Plan:
    cycle: Cycle
    batches: tuple[Batch, ...]


@dataclass(frozen=True, kw_only=True)
class DispatchPorts:
    twin: TwinView
    prices: Prices
    caps: Caps
    holds: Holds
    orders: Orders
    decisions: Decisions
    clock: Clock


class DispatchService:
    """`run` until cancelled, or call `cycle` for one decision."""

    def __init__(self, site: str, ports: DispatchPorts, settings: DispatchSettings | None = None) -> None:
        self._site = site
        self._ports = ports
        self._settings = settings or DispatchSettings()
        self._pending = PendingOrders(self._settings.patience)
        self._lowered = Lowered()
        self._anchors: Anchors | None = None
        self._wanted = asyncio.Event()
        self._urgent = asyncio.Event()
        self._triggers: dict[str, None] = {}
        self._one_at_a_time = asyncio.Lock()
        self._number = count(1)
        self._last: Cycle | None = None

    @property
    def last(self) -> Cycle | None:
        """The newest decision; None before the first."""
        return self._last

    @property
    def automatic(self) -> bool:
        """Whether decisions are ordered, not only explained."""
        return self._settings.automatic

    @property
    def pending(self) -> PendingOrders:
        return self._pending

    @property
    def anchors(self) -> Anchors | None:
        """What the meters showed when nothing moved last; None before the first decision."""
        return self._anchors

    def notify(self, trigger: str, *, urgent: bool = False) -> None:
        """Something changed: price, limit, curtailment, device, telemetry, operator. `urgent` skips the pause."""
        self._triggers[trigger] = None
        self._wanted.set()
        if urgent:
            self._urgent.set()

    async def run(self) -> None:
        """Decide whenever notified. A cycle that fails is logged and does not end the loop."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._urgent.clear()
            trigger = ", ".join(self._triggers)
            self._triggers.clear()
            try:
                await self.cycle(trigger)
            except BesError as error:
                _log.error("dispatch.no-decision", site=self._site, code=error.code, error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), self._settings.min_interval_s)

    async def cycle(self, trigger: str) -> Cycle:
        """Decide once and order the first part of it."""
        async with self._one_at_a_time:
            now_ms = self._ports.clock.now_ms()
            snapshot = self._ports.twin.snapshot(self._site)
            quote, unpriced = self._quote(now_ms)
            targets_w = self._ports.caps.caps_w(self._site, now_ms)
            self._pending.observe(snapshot)
            bonds = self._pending.bonds(self._ports.holds.held(self._site))
            self._anchors = await asyncio.to_thread(anchored, self._anchors, snapshot, bonds)
            blind = self._blind(snapshot)
            returning = {} if blind else dict(self._lowered.mode)
            ground = _Ground(snapshot, quote, blind or unpriced, returning, targets_w, self._anchors, bonds)
            try:
                plan = await asyncio.to_thread(self._plan, trigger, ground)
            except DecisionUnsound as error:
                self._ports.decisions.unsound(self._site, error.detail)
                raise
            cycle = plan.cycle
            await self._ports.decisions.record(cycle)
            if self._settings.automatic:
                for batch in plan.batches:
                    cycle = await self._issue(cycle, batch)
            self._last = cycle
            return cycle

    async def _issue(self, cycle: Cycle, batch: Batch) -> Cycle:
        """Hand one batch to the power door, without those that a person took meanwhile. A refusal leaves its miners
        alone and lets the other batches pass.
        """
        batch = batch.without(self._ports.holds.held(self._site))
        if not batch.steps:
            return cycle
        try:
            order_id = await self._ports.orders.issue(
                self._site,
                batch.lines,
                reason=f"{cycle.trigger} (decision {cycle.decision_id})",
                decision_id=cycle.decision_id,
                expires_in_s=self._settings.order_expires_s,
            )
        except Denied as refusal:
            _log.warning("dispatch.refused", site=self._site, rule=refusal.rule, miners=len(batch.changes))
            self._pending.refused((device for device, _ in batch.changes), cycle.at_ms)
            return replace(cycle, refusals=(*cycle.refusals, f"{refusal.rule}: {refusal.detail}"))
        self._pending.given(batch.changes, cycle.at_ms)
        self._lowered.given(cycle, batch.changes)
        return replace(cycle, issued=cycle.issued + len(batch.changes), command_ids=(*cycle.command_ids, order_id))

    def _plan(self, trigger: str, ground: _Ground) -> _Plan:
        """Everything between reading and ordering; runs in a worker thread on immutable values."""
        begun_s = self._ports.clock.monotonic_s()
        snapshot, held = ground.snapshot, ground.held
        limits, approach = self._problem(ground)
        problem = approach.problem
        stay = np.where(problem.free, problem.current, 0)
        decision = decide(problem, previous=stay)
        load_w = carried_w(limits, problem, snapshot.feeders.safe_w, stay)
        transition = stage(problem, decision.mode, load_w, self._settings.pace)
        ups = first_wave(problem, decision.mode, load_w, self._settings.pace)
        due = np.concatenate((transition.downs, ups))
        cycle = Cycle(
            site=self._site,
            decision_id=f"{self._site}-{next(self._number)}-{snapshot.taken_at_ms}",
            at_ms=snapshot.taken_at_ms,
            trigger=trigger,
            snapshot=snapshot,
            quote=ground.quote,
            problem=problem,
            decision=decision,
            explanation=explain(problem, decision, priced=not held),
            transition=transition,
            landings=approach.landings,
            infeasible=decision.infeasible(problem),
            solve_ms=(self._ports.clock.monotonic_s() - begun_s) * 1000,
            held=held,
            due=len(due) if self._settings.automatic else 0,
            gap_too_wide=not held and self._too_wide(problem, decision.certificate),
        )
        return _plan_of(cycle, due)

    def _too_wide(self, problem: Problem, certificate: Certificate) -> bool:
        """Less than what one machine earns is no gap that anybody could close: the bound shares machines, we do not."""
        machine_usd_h = float(problem.best_usd_h[problem.free].max(initial=0.0))
        gap_pct = certificate.gap_pct
        return gap_pct is not None and gap_pct > self._settings.gap_alarm_pct and certificate.gap_usd_h > machine_usd_h

    def _problem(self, ground: _Ground) -> tuple[Problem, Approach]:
        """The problem under limits alone, and under targets too; softened where it cannot be solved otherwise."""
        limits, approach = self._framed(ground, soften=False)
        if approach.problem.overloaded.size:
            limits, approach = self._framed(ground, soften=True)
        return limits, approach

    def _framed(self, ground: _Ground, *, soften: bool) -> tuple[Problem, Approach]:
        snapshot, anchors, bonds = ground.snapshot, ground.anchors, ground.bonds
        quote = None if ground.held else ground.quote
        limits = formulate(snapshot, quote, anchors, bonds, self._settings.policy, soften=soften)
        if ground.held:
            top = np.maximum(limits.current, modes_named(snapshot, ground.returning)[: len(limits)])
            limits = replace(limits, high=np.where(limits.free, np.minimum(limits.high, top), limits.high))
        return limits, under_targets(limits, anchors, ground.targets_w, bonds, snapshot, self._settings.aim)

    def _blind(self, snapshot: SiteSnapshot) -> str:
        fresh = snapshot.fresh
        if fresh.size and fresh.mean() < self._settings.min_fresh_share:
            return f"only {int(fresh.sum()):,} of {fresh.size:,} miners report"
        return ""

    def _quote(self, now_ms: int) -> tuple[Quote | None, str]:
        """The newest quote, and why nothing can be decided by it; empty where it holds."""
        try:
            quote = self._ports.prices.current(now_ms)
        except GatewayUnavailable as error:
            return None, error.detail
        return quote, "" if quote.current(now_ms) else "the energy price has run out"


def _plan_of(cycle: Cycle, changed: Ints) -> _Plan:
    """The orders for the miners at these positions; positions of a problem are rows of the roster."""
    modes = cycle.decision.mode[changed].tolist()
    return _Plan(cycle, batches(cycle.snapshot, zip(changed.tolist(), modes, strict=True)))
