"""Curtailments by people: previewed, started by one or two of them, judged by the meter, ended."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from controller.commands import Actor as Sender
from controller.commands import AuthorityPolicy, Confirmation, HoldBook
from controller.commands.authority import check_second_person, check_typed, typed_for
from controller.commands.board import CommandBoard
from controller.commands.model import OrderState
from controller.commands.refusal import Refusal as CommandRefusal
from controller.mining.dispatch.anchor import anchored
from controller.mining.dispatch.bond import Bonds
from controller.mining.dispatch.problem import Lock
from controller.mining.dispatch.quote import Quote
from controller.mining.dispatch.service import ACTOR as DISPATCH
from controller.mining.energy import Curtailment, Phase
from controller.mining.energy.event import AnyCurtailmentEvent, CurtailmentRequested
from controller.mining.energy.model import OVER
from controller.operations.command_log import CommandLog
from controller.operations.command_view import counts_in_words
from controller.operations.commands import sender_of
from controller.operations.curtailment_book import WITNESS, CurtailmentBook
from controller.operations.curtailment_plan import (
    Ground,
    Plan,
    checks_of,
    confirm_text,
    confirmation_of,
    current_sample,
    excluded_of,
    method_of,
    planned,
)
from controller.operations.moment import Moments
from controller.operations.ports import PriceFeed, SiteDispatch
from controller.people.model import Actor, Permission
from controller.views.curtailment import CurtailmentPreview, CurtailmentRequest, CurtailmentStart, CurtailmentView
from shared.clock import Clock
from shared.errors import Denied, Expired, GatewayUnavailable

PREVIEW_VALID_MS = 60_000
LISTED = 50
TRIGGER = "curtailment"
_PASSING = (Lock.DWELL, Lock.UNSETTLED)  # locks that end by themselves
_PHASES = {Phase.REQUESTED: "awaiting-approval"}


@dataclass(frozen=True, kw_only=True)
class CurtailmentParts:
    """What curtailments are made of. `dispatch` may gain sites while it runs."""

    moments: Moments
    book: CurtailmentBook
    prices: PriceFeed
    dispatch: Mapping[str, SiteDispatch]
    board: CommandBoard
    holds: HoldBook
    log: CommandLog
    policy: AuthorityPolicy
    clock: Clock


@dataclass(frozen=True)
class _Kept:
    """A preview until it is used or too old."""

    valid_until_ms: int
    request: CurtailmentRequest
    plan: Plan


class LiveCurtailments:
    """Fills `controller.views.ports.Curtailments`; `watch` has to be called every second."""

    def __init__(self, parts: CurtailmentParts) -> None:
        self._parts = parts
        self._ledger = parts.book.ledger
        self._previews: dict[str, _Kept] = {}
        self._miners: dict[str, int] = {}

    async def preview(self, request: CurtailmentRequest) -> CurtailmentPreview:
        snapshot, frame = self._parts.moments.of(request.site)
        now_ms = self._parts.clock.now_ms()
        dispatch = self._parts.dispatch.get(request.site)
        held = self._parts.holds.held(request.site)
        bonds = Bonds(operator=held) if dispatch is None else dispatch.pending.bonds(held)
        ground = Ground(
            snapshot=snapshot,
            quote=_quote(self._parts.prices, now_ms),
            targets_w=self._ledger.caps_w(request.site, now_ms),
            anchors=anchored(None if dispatch is None else dispatch.anchors, snapshot, bonds),
            bonds=bonds,
            past=self._ledger.listed(request.site),
        )
        plan = await asyncio.to_thread(planned, ground, request)
        kept = _Kept(now_ms + PREVIEW_VALID_MS, request, plan)
        preview_id = f"pre-{secrets.token_hex(6)}"
        self._previews = {known: old for known, old in self._previews.items() if old.valid_until_ms >= now_ms}
        self._previews[preview_id] = kept
        confirmation = confirmation_of(plan, self._parts.policy)
        return CurtailmentPreview(
            id=preview_id,
            site=request.site,
            snapshot=frame.snapshot,
            valid_until_ms=kept.valid_until_ms,
            miners=plan.effect.miners,
            of_miners=plan.effect.of_miners,
            reduction_w=plan.reduction_w,
            uncertainty_w=plan.effect.uncertainty_w,
            target_w=plan.target_w,
            hashrate_ths=plan.effect.hashrate_lost_ths,
            cost_usd_h=None if ground.quote is None else plan.effect.cost_usd_h,
            method=method_of(plan.effect),
            expected_s=plan.expected_s,
            checks=checks_of(plan),
            excluded=excluded_of(plan.effect),
            confirm=typed_for(confirmation, confirm_text(plan)),
            second_person=confirmation is Confirmation.SECOND_PERSON,
        )

    async def start(self, preview_id: str, start: CurtailmentStart, actor: Actor) -> CurtailmentView:
        """Expired for a preview that is too old or was used; a big one waits for a second person.

        Denied where what was typed is not what the preview named.
        """
        actor.require(Permission.OPERATE)
        now_ms = self._parts.clock.now_ms()
        kept = self._previews.get(preview_id)
        if kept is None or now_ms > kept.valid_until_ms:
            raise Expired("the preview is no longer valid; preview again")
        site, plan = kept.request.site, kept.plan
        confirmation = confirmation_of(plan, self._parts.policy)
        check_typed(typed_for(confirmation, confirm_text(plan)), start.confirm)
        del self._previews[preview_id]
        wish = CurtailmentRequested(
            curtailment_id=f"cur-{now_ms:012x}-{secrets.token_hex(3)}",
            at_ms=now_ms,
            site=site,
            feeder=plan.feeder,
            target_w=plan.target_w,
            baseline_w=plan.baseline_w,
            land_within_s=plan.land_within_s,
            reason=start.reason,
            actor=actor.name,
            ends_at_ms=kept.request.ends_at_ms,
            sponsor=actor.created_by,
        )
        snapshot = self._parts.moments.of(site).snapshot
        state = await self._write(site, actor.name, lambda: self._ledger.request(snapshot, wish))
        self._miners[state.curtailment_id] = plan.effect.miners
        if confirmation is Confirmation.SECOND_PERSON:
            return self._view(state)
        return self._view(await self._started(state, actor))

    async def approve(self, curtailment_id: str, actor: Actor) -> CurtailmentView:
        actor.require(Permission.OPERATE)
        state = self._ledger.get(curtailment_id)
        check_second_person(Sender(state.requested_by, sponsor=state.sponsor), sender_of(actor))
        if state.phase is Phase.REQUESTED and self._too_late(state):
            raise Denied(CommandRefusal.SECOND_PERSON_MISSING, f"{curtailment_id} was not approved in time; start anew")
        return self._view(await self._started(state, actor))

    async def end(self, curtailment_id: str, reason: str, actor: Actor) -> CurtailmentView:
        """Let dispatch run again what pays; one that nobody approved yet is taken back."""
        actor.require(Permission.OPERATE)
        site, now_ms = self._ledger.get(curtailment_id).site, self._parts.clock.now_ms()
        state = await self._write(
            site, actor.name, lambda: self._ledger.end(curtailment_id, actor.name, reason, now_ms)
        )
        self._tell(site)
        return self._view(state)

    def listed(self, site: str) -> tuple[CurtailmentView, ...]:
        self._parts.moments.of(site)
        return tuple(map(self._view, self._ledger.listed(site)[:LISTED]))

    async def watch(self) -> None:
        """Write down what the meters and the time have proved, and end what nobody approved in time."""
        for site in self._parts.moments.sites:
            if any(state.phase not in OVER for state in self._ledger.listed(site)):
                await self._judge(site)

    async def _judge(self, site: str) -> None:
        snapshot, wanted_w = self._parts.moments.of(site).snapshot, self._wanted_w(site)

        def proved() -> tuple[AnyCurtailmentEvent, ...]:
            return (*self._overdue(site), *self._ledger.observe(snapshot, wanted_w))

        if await self._parts.book.write_all(site, proved):
            self._tell(site)

    def _overdue(self, site: str) -> tuple[AnyCurtailmentEvent, ...]:
        now_ms, why = self._parts.clock.now_ms(), "nobody approved it in time"
        return tuple(
            self._ledger.end(state.curtailment_id, WITNESS, why, now_ms)
            for state in self._ledger.listed(site)
            if state.phase is Phase.REQUESTED and self._too_late(state)
        )

    async def _started(self, state: Curtailment, actor: Actor) -> Curtailment:
        now_ms = self._parts.clock.now_ms()
        started = await self._write(
            state.site, actor.name, lambda: self._ledger.start(state.curtailment_id, actor.name, now_ms)
        )
        self._tell(state.site)
        return started

    async def _write(self, site: str, actor: str, judge: Callable[[], AnyCurtailmentEvent]) -> Curtailment:
        return await self._parts.book.write(site, actor, judge)

    def _too_late(self, state: Curtailment) -> bool:
        waited_ms = self._parts.clock.now_ms() - state.requested_at_ms
        return waited_ms > self._parts.policy.approval_within_s * 1000

    def _tell(self, site: str) -> None:
        dispatch = self._parts.dispatch.get(site)
        if dispatch is not None:
            dispatch.notify(TRIGGER, urgent=True)

    def _wanted_w(self, site: str) -> dict[str, float]:
        """What dispatch plans for each feeder; empty before its first decision since the last curtailment ended, and
        while miners still wait for their turn, because such a plan asks for less load than is meant to come back.
        """
        dispatch = self._parts.dispatch.get(site)
        cycle = None if dispatch is None else dispatch.last
        ended_ms = max((state.ended_at_ms or 0 for state in self._ledger.listed(site)), default=0)
        if cycle is None or cycle.at_ms <= ended_ms or np.isin(cycle.problem.lock, _PASSING).any():
            return {}
        load_w = cycle.decision.certificate.load_w.tolist()
        return dict(zip(cycle.problem.tree.ids, load_w, strict=True))

    def _view(self, state: Curtailment) -> CurtailmentView:
        snapshot = self._parts.moments.of(state.site).snapshot
        commands, counts = self._commands_of(state)
        approved = state.started_by if state.started_by != state.requested_by else ""
        return CurtailmentView(
            id=state.curtailment_id,
            site=state.site,
            phase=_PHASES.get(state.phase, state.phase.value),
            reason=state.reason,
            started_by=state.requested_by,
            started_at_ms=state.requested_at_ms if state.started_at_ms is None else state.started_at_ms,
            baseline_w=state.baseline_w,
            target_w=state.target_w,
            power_w=current_sample(snapshot, state.feeder).power_w,
            miners=self._miners.get(state.curtailment_id, sum(counts.values())),
            counts=counts,
            landed_at_ms=state.landed_at_ms,
            ends_at_ms=state.ends_at_ms,
            ended_at_ms=state.ended_at_ms,
            approved_by=approved,
            commands=commands,
        )

    def _commands_of(self, state: Curtailment) -> tuple[tuple[str, ...], dict[str, int]]:
        """Dispatch's commands since the start, and how those of the present leg (down, or up again) stand."""
        if state.started_at_ms is None:
            return (), {}
        asked = self._parts.log.of_actor(state.site, DISPATCH, state.started_at_ms, state.restored_at_ms)
        leg_ms = state.started_at_ms if state.ended_at_ms is None else state.ended_at_ms
        counts: Counter[OrderState] = Counter()
        for command in asked:
            progress = self._parts.board.find(command.command_id)
            if progress is not None and command.at_ms >= leg_ms:
                counts.update(progress.counts)
        return tuple(command.command_id for command in asked), counts_in_words(counts)


def _quote(prices: PriceFeed, now_ms: int) -> Quote | None:
    """What holds now; None where there is no price or the last one has run out."""
    try:
        quote = prices.current(now_ms)
    except GatewayUnavailable:
        return None
    return quote if quote.current(now_ms) else None
