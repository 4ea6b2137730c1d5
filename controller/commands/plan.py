"""Signed site plans: what a site does by itself while nobody talks to it."""

import hashlib
import secrets

import msgspec

from controller.commands.event import PlanIssued, codec
from controller.commands.model import Actor
from controller.commands.ports import Directory
from controller.commands.refusal import Refusal
from controller.commands.seal import Parcel, Sealer
from controller.journal import Append, Commit, Journal
from shared.clock import Clock
from shared.errors import Denied
from shared.wire.codec import decode
from shared.wire.command import SitePlan
from shared.wire.version import WIRE_VERSION


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Caps as in shared.wire.command.SitePlan: (start_ms, cap_w) ascending, None is no cap."""

    site: str
    node: str
    valid_from_ms: int
    valid_until_ms: int
    intervals: tuple[tuple[int, int | None], ...]
    shed_order: tuple[str, ...] = ()
    fallback_cap_w: int | None = None


class PlanDesk:
    """Issues plans through the same outbox lane as commands, because a node counts both with one counter."""

    def __init__(self, journal: Journal, directory: Directory, sealer: Sealer, clock: Clock) -> None:
        self._journal = journal
        self._directory = directory
        self._sealer = sealer
        self._clock = clock
        self._shed: dict[tuple[str, str], str] = {}

    async def issue(self, request: PlanRequest, actor: Actor) -> str:
        """Write down, sign and queue; returns the plan's id. `Denied` (plan.invalid) names what is wrong with it."""
        now_ms = self._clock.now_ms()
        if problem := self._problem(request, now_ms):
            raise Denied(Refusal.BAD_PLAN, problem)
        draft = SitePlan(
            WIRE_VERSION,
            f"plan-{now_ms:012x}-{secrets.token_hex(4)}",
            request.site,
            request.node,
            0,
            now_ms,
            request.valid_from_ms,
            request.valid_until_ms,
            request.intervals,
            request.shed_order,
            request.fallback_cap_w,
        )
        plan, key_id, effect = self._sealer.plan(draft)
        sealed = decode(effect.payload, Parcel).sealed
        fact = _fact(plan, key_id, hashlib.sha256(sealed).hexdigest())
        place = plan.site, plan.node
        known = self._shed.get(place) == fact.shed_sha256
        kept = msgspec.structs.replace(fact, shed_order=()) if known else fact
        append = Append(f"plan/{plan.site}/{plan.node}", (codec.encode(kept, actor.name),))
        await self._journal.commit(Commit(appends=(append,), effects=(effect,)))
        self._shed[place] = fact.shed_sha256
        return plan.plan_id

    def _problem(self, request: PlanRequest, now_ms: int) -> str | None:
        starts = [start_ms for start_ms, _ in request.intervals]
        if request.valid_until_ms <= max(request.valid_from_ms, now_ms):
            return "it is over before it begins; valid_until_ms must lie ahead"
        if not starts or starts != sorted(set(starts)):
            return "intervals must be given, ascending, without two starts at one time"
        if starts[0] > request.valid_from_ms or starts[-1] >= request.valid_until_ms:
            return "the intervals must begin by valid_from_ms and before valid_until_ms"
        caps = [*(cap_w for _, cap_w in request.intervals), request.fallback_cap_w]
        if any(cap_w is not None and cap_w < 0 for cap_w in caps):
            return "a cap is below zero; None means no cap"
        unknown = [device for device in request.shed_order if self._directory.device(request.site, device) is None]
        if unknown:
            return f"shed_order names {unknown[0]!r}, which no node of {request.site} knows"
        return None


def _fact(plan: SitePlan, key_id: str, sealed_sha256: str) -> PlanIssued:
    return PlanIssued(
        plan_id=plan.plan_id,
        site=plan.site,
        node=plan.node,
        key_id=key_id,
        counter=plan.counter,
        valid_from_ms=plan.valid_from_ms,
        valid_until_ms=plan.valid_until_ms,
        intervals=plan.intervals,
        shed_order=plan.shed_order,
        fallback_cap_w=plan.fallback_cap_w,
        sealed_sha256=sealed_sha256,
        shed_sha256=hashlib.sha256("\n".join(plan.shed_order).encode()).hexdigest(),
    )
