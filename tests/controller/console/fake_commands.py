"""Orders and curtailments that progress with the clock and end in every kind of truth."""

import itertools

import msgspec
import numpy as np

from controller.commands.authority import check_typed
from controller.people.model import Actor, Permission
from controller.views.command import (
    Check,
    CommandDetail,
    CommandPage,
    CommandPreview,
    CommandRequest,
    CommandView,
    DeviceCommand,
    Excluded,
    OutcomeStep,
    OutcomeView,
)
from controller.views.condition import Condition
from controller.views.curtailment import CurtailmentPreview, CurtailmentRequest, CurtailmentStart, CurtailmentView
from controller.views.miner import order_of
from controller.views.query import parse, select
from shared.actions import Sleep, Wake
from shared.errors import Denied, Expired, NotFound
from shared.states import OutcomeState
from tests.controller.console.fake_fleet import SITE, FakeFleet

SECOND_PERSON_W = 2_000_000.0
STEP_MS = 400


class FakeCommands:
    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet
        self._orders: dict[str, tuple[CommandView, tuple[int, ...]]] = {}
        self._numbers = itertools.count(1)
        self.issued: list[CommandRequest] = []

    async def preview(self, request: CommandRequest, actor: Actor) -> CommandPreview:
        frame = self._fleet.frame(request.site)
        selected, rows = self._resolve(request)
        excluded = tuple(
            Excluded(text, count)
            for text, condition in (
                ("silent, cannot be confirmed", Condition.SILENT),
                ("no power", Condition.UNPOWERED),
            )
            if (count := int((frame.condition[selected] == condition).sum()))
        )
        power_w = -float(np.nansum(frame.power_w[list(rows)])) if isinstance(request.action, Sleep) else None
        return CommandPreview(
            snapshot=frame.snapshot,
            included=len(rows),
            selected=len(selected),
            power_change_w=power_w,
            excluded=excluded,
            checks=(Check("feeders stay within their limits (worst: f-c03 at 91 %)", True),),
            confirm=str(len(rows)) if len(rows) > 50 and not actor.program else "",
            second_person=abs(power_w or 0.0) > SECOND_PERSON_W,
        )

    async def issue(self, request: CommandRequest, actor: Actor) -> CommandView:
        actor.require(Permission.OPERATE)
        preview = await self.preview(request, actor)
        _, rows = self._resolve(request)
        check_typed(preview.confirm, request.confirm)
        if not rows:
            raise Denied("command.nothing-selected", "no device of the selection can carry this out")
        self.issued.append(request)
        command_id = f"cmd-{next(self._numbers):04}"
        now_ms = self._fleet.clock.now_ms()
        order = CommandView(
            id=command_id,
            site=SITE,
            verb=request.action.verb,
            title=f"{request.action.verb.replace('_', ' ')} for {len(rows):,} miners",
            reason=request.reason,
            issued_by=actor.name,
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + 120_000,
            phase="awaiting-approval" if preview.second_person else "running",
            devices=len(rows),
            counts={},
            journal_seq=4100 + len(self._orders),
        )
        self._orders[command_id] = (order, rows)
        if isinstance(request.action, Sleep | Wake) and not preview.second_person:
            self._fleet.asleep[list(rows)] = isinstance(request.action, Sleep)
        return self._now(command_id)

    async def approve(self, command_id: str, actor: Actor) -> CommandView:
        order, rows = self._known(command_id)
        if actor.name == order.issued_by:
            raise Denied("command.same-person", "the person who issued an order cannot approve it")
        approved = msgspec.structs.replace(
            order, phase="running", approved_by=actor.name, issued_at_ms=self._fleet.clock.now_ms()
        )
        self._orders[command_id] = (approved, rows)
        return self._now(command_id)

    async def retry(self, command_id: str, actor: Actor) -> CommandView:
        order = self._now(command_id)
        _, rows = self._known(command_id)
        new_id = f"cmd-{next(self._numbers):04}"
        again = msgspec.structs.replace(
            order,
            id=new_id,
            retry_of=command_id,
            issued_by=actor.name,
            issued_at_ms=self._fleet.clock.now_ms(),
            phase="running",
            devices=order.retryable,
        )
        self._orders[new_id] = (again, rows[: order.retryable])
        return self._now(new_id)

    async def listed(self, site: str, *, offset: int = 0, limit: int = 50) -> CommandPage:
        self._fleet.frame(site)
        newest = [self._now(command_id) for command_id in reversed(self._orders)]
        return CommandPage(total=len(newest), offset=offset, commands=tuple(newest[offset : offset + limit]))

    async def of_device(self, site: str, device_id: str, *, limit: int = 10) -> tuple[DeviceCommand, ...]:
        row = self._fleet.layout.row_of.get(device_id)
        found = [
            DeviceCommand(command=self._now(command_id), outcome=self._outcome(order, row, rows.index(row)))
            for command_id, (order, rows) in reversed(self._orders.items())
            if row in rows
        ]
        return tuple(found[:limit])

    async def detail(self, command_id: str) -> CommandDetail:
        order = self._now(command_id)
        _, rows = self._known(command_id)
        outcomes = [self._outcome(order, row, index) for index, row in enumerate(rows)]
        rank = {"contradicted": 0, "unknown": 1, "refused": 2}
        outcomes.sort(key=lambda outcome: rank.get(outcome.state, 9))
        return CommandDetail(command=order, outcomes=tuple(outcomes[:1000]))

    def _known(self, command_id: str) -> tuple[CommandView, tuple[int, ...]]:
        if command_id not in self._orders:
            raise NotFound(f"no command {command_id!r}")
        return self._orders[command_id]

    def _now(self, command_id: str) -> CommandView:
        order, rows = self._known(command_id)
        if order.phase == "awaiting-approval":
            return msgspec.structs.replace(order, counts={"waiting": len(rows)})
        counts: dict[str, int] = {}
        for index, row in enumerate(rows):
            state = self._outcome(order, row, index).state
            counts[state] = counts.get(state, 0) + 1
        finished = sum(counts.get(state, 0) for state in ("confirmed", "contradicted", "refused", "unknown"))
        phase = "ended" if finished == len(rows) else "running"
        return msgspec.structs.replace(order, counts=counts, phase=phase)

    def _outcome(self, order: CommandView, row: int, index: int) -> OutcomeView:
        elapsed_ms = self._fleet.clock.now_ms() - order.issued_at_ms - (index % 20) * 60
        last = (OutcomeState.CONTRADICTED, "read-back at the deadline", "still 3,420 W")
        if index % 41 == 11:
            last = (OutcomeState.UNKNOWN, "no answer until the deadline", "")
        elif index % 23 != 7:
            last = (OutcomeState.CONFIRMED, "", "sleeping, 60 W")
        steps = (
            ("sent", "", ""),
            (OutcomeState.ACCEPTED, "passed the site's checks", ""),
            (OutcomeState.ACKNOWLEDGED, "the device said yes", ""),
            last,
        )
        reached = max(0, min(len(steps), 1 + elapsed_ms // STEP_MS))
        trail = tuple(
            OutcomeStep(state=state, at_ms=order.issued_at_ms + place * STEP_MS, detail=detail, observed=observed)
            for place, (state, detail, observed) in enumerate(steps[:reached])
        )
        layout = self._fleet.layout
        return OutcomeView(device_id=layout.device_id[row], slot=layout.slot_name[row], trail=trail)

    def _resolve(self, request: CommandRequest) -> tuple[np.ndarray, tuple[int, ...]]:
        frame = self._fleet.frame(request.site)
        if request.selection.query is not None:
            selected = np.flatnonzero(select(frame, parse(request.selection.query)))
        else:
            known = self._fleet.layout.row_of
            selected = np.array([known[item] for item in request.selection.device_ids if item in known], dtype=np.intp)
        unseen = np.isin(frame.condition[selected], (Condition.SILENT, Condition.UNPOWERED))
        return selected, tuple(selected[~unseen].tolist())


class FakeCurtailments:
    """Sheds the least efficient first over a few seconds; the site's meter follows a second later."""

    def __init__(self, fleet: FakeFleet, site_power_w: "SitePower") -> None:
        self._fleet = fleet
        self._power = site_power_w
        self._previews: dict[str, tuple[CurtailmentPreview, tuple[int, ...]]] = {}
        self._running: dict[str, tuple[CurtailmentView, tuple[int, ...]]] = {}
        self._numbers = itertools.count(1)

    async def preview(self, request: CurtailmentRequest) -> CurtailmentPreview:
        frame = self._fleet.frame(request.site)
        awake = frame.known & (frame.power_w > 500)
        order = order_of(frame, "-efficiency_j_per_th")
        candidates = order[awake[order]]
        shed_w = np.cumsum(frame.power_w[candidates])
        wanted = float(shed_w[-1]) if request.reduction_w is None else request.reduction_w
        rows = tuple(candidates[: int(np.searchsorted(shed_w, wanted)) + 1].tolist())
        power_w, now_ms = self._power.now_w(), self._fleet.clock.now_ms()
        hash_ths = float(np.nansum(frame.hashrate_ths[list(rows)]))
        preview = CurtailmentPreview(
            id=f"pre-{next(self._numbers)}",
            site=request.site,
            snapshot=frame.snapshot,
            valid_until_ms=now_ms + 60_000,
            miners=len(rows),
            of_miners=int(awake.sum()),
            reduction_w=wanted,
            uncertainty_w=wanted * 0.027,
            target_w=power_w - wanted * 0.97,
            hashrate_ths=hash_ths,
            cost_usd_h=hash_ths * 0.0021 - wanted * 38e-6,
            method="sleep, least efficient first, in waves of 20 s",
            expected_s=9.0,
            checks=(Check("feeders ok (worst: f-c03 at 91 %)", True), Check("coolant ok", True)),
            excluded=(Excluded("silent, counted as 0 kW", frame.condition_counts[Condition.SILENT]),),
            confirm=f"{wanted / 1e6:.2f} MW" if len(rows) > 50 else "",
            second_person=wanted > SECOND_PERSON_W,
        )
        self._previews[preview.id] = (preview, rows)
        return preview

    async def start(self, preview_id: str, start: CurtailmentStart, actor: Actor) -> CurtailmentView:
        actor.require(Permission.OPERATE)
        preview, rows = self._previews.pop(preview_id, (None, ()))
        if preview is None or preview.valid_until_ms < self._fleet.clock.now_ms():
            raise Expired("the preview is no longer valid; preview again")
        check_typed(preview.confirm, start.confirm)
        now_ms = self._fleet.clock.now_ms()
        view = CurtailmentView(
            id=f"cur-{next(self._numbers)}",
            site=preview.site,
            phase="awaiting-approval" if preview.second_person else "shedding",
            reason=start.reason,
            started_by=actor.name,
            started_at_ms=now_ms,
            baseline_w=self._power.now_w(),
            target_w=preview.target_w,
            power_w=self._power.now_w(),
            miners=len(rows),
            counts={"waiting": len(rows)},
        )
        self._running[view.id] = (view, rows)
        return view

    async def approve(self, curtailment_id: str, actor: Actor) -> CurtailmentView:
        view, rows = self._known(curtailment_id)
        if actor.name == view.started_by:
            raise Denied("curtailment.same-person", "the person who asked for it cannot approve it")
        now_ms = self._fleet.clock.now_ms()
        view = msgspec.structs.replace(view, phase="shedding", approved_by=actor.name, started_at_ms=now_ms)
        self._running[view.id] = (view, rows)
        return view

    async def end(self, curtailment_id: str, reason: str, actor: Actor) -> CurtailmentView:
        actor.require(Permission.OPERATE)
        view, rows = self._known(curtailment_id)
        self._fleet.asleep[list(rows)] = False
        ended = msgspec.structs.replace(view, phase="restoring", ended_at_ms=self._fleet.clock.now_ms())
        self._running[view.id] = (ended, rows)
        return ended

    def listed(self, site: str) -> tuple[CurtailmentView, ...]:
        self._fleet.frame(site)
        for curtailment_id in self._running:
            self._advance(curtailment_id)
        return tuple(view for view, _ in reversed(self._running.values()))

    def _known(self, curtailment_id: str) -> tuple[CurtailmentView, tuple[int, ...]]:
        if curtailment_id not in self._running:
            raise NotFound(f"no curtailment {curtailment_id!r}")
        return self._running[curtailment_id]

    def _advance(self, curtailment_id: str) -> None:
        view, rows = self._running[curtailment_id]
        now_ms, power_w = self._fleet.clock.now_ms(), self._power.now_w()
        if view.phase in ("shedding", "holding"):
            confirmed = min(len(rows), int(len(rows) * (now_ms - view.started_at_ms) / 2000))
            self._fleet.asleep[list(rows[:confirmed])] = True
            sent = min(len(rows) - confirmed, len(rows) // 4)
            counts = {"confirmed": confirmed, "sent": sent, "waiting": len(rows) - confirmed - sent}
            landed_ms = view.landed_at_ms or (now_ms if power_w <= view.target_w else None)
            phase = "holding" if landed_ms else "shedding"
            view = msgspec.structs.replace(view, counts=counts, landed_at_ms=landed_ms, phase=phase, power_w=power_w)
        elif view.phase == "restoring":
            done = now_ms - (view.ended_at_ms or now_ms) > 5000
            view = msgspec.structs.replace(view, phase="restored" if done else "restoring", power_w=power_w)
        self._running[curtailment_id] = (view, rows)


class SitePower:
    """What the site's main meter reads: the miners, and 3 % of fans and losses that nobody reports."""

    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet

    def now_w(self) -> float:
        return self._fleet.frame(SITE).live_power_w * 1.03
