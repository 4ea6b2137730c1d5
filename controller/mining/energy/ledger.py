"""All curtailments of a controller, folded from their events, and the caps that follow.

Commands and observations answer events and change nothing; the caller writes them down and then gives them to
`replay`. Where several bind the same feeder the lowest cap counts.
"""

from collections.abc import Mapping

from controller.mining.energy.event import (
    AnyCurtailmentEvent,
    CurtailmentCancelled,
    CurtailmentEnded,
    CurtailmentRequested,
    CurtailmentStarted,
)
from controller.mining.energy.model import OVER, Curtailment, Phase, evolve, requested
from controller.mining.energy.verification import Proof, Streak, judge, meter_sample
from controller.mining.fleet.snapshot import SiteSnapshot
from controller.mining.refusal import Refusal
from shared.errors import Denied, NotFound


class CurtailmentLedger:
    """Implements `dispatch.ports.Caps`."""

    def __init__(self, proof: Proof | None = None) -> None:
        self._proof = proof or Proof()
        self._curtailments: dict[str, Curtailment] = {}
        self._streaks: dict[str, Streak] = {}

    def replay(self, event: AnyCurtailmentEvent) -> Curtailment:
        """Fold one event that has been written down."""
        if isinstance(event, CurtailmentRequested):
            state = requested(event)
        else:
            state = evolve(self.get(event.curtailment_id), event)
        self._curtailments[state.curtailment_id] = state
        if state.phase in OVER:
            self._streaks.pop(state.curtailment_id, None)
        return state

    def get(self, curtailment_id: str) -> Curtailment:
        if curtailment_id not in self._curtailments:
            raise NotFound(f"no curtailment {curtailment_id!r}")
        return self._curtailments[curtailment_id]

    def listed(self, site: str) -> tuple[Curtailment, ...]:
        """Newest first."""
        return tuple(c for c in reversed(self._curtailments.values()) if c.site == site)

    def caps_w(self, site: str, now_ms: int) -> Mapping[str, int]:
        """The lowest cap of each feeder that a running curtailment binds; one whose time is over binds no more."""
        caps: dict[str, int] = {}
        for state in self._curtailments.values():
            over = state.ends_at_ms is not None and now_ms >= state.ends_at_ms
            if state.site == site and state.cap_w is not None and not over:
                caps[state.feeder] = min(state.cap_w, caps.get(state.feeder, state.cap_w))
        return caps

    def request(self, snapshot: SiteSnapshot, wish: CurtailmentRequested) -> CurtailmentRequested:
        """Check a wish against the site: its feeder needs a meter that can be used, or nobody could ever confirm it.

        Denied `curtailment.exists`, `curtailment.unknown-feeder`, `curtailment.meter-unusable`,
        `curtailment.target-above-load`, `curtailment.ends-in-the-past`.
        """
        if wish.curtailment_id in self._curtailments:
            raise Denied(Refusal.EXISTS, f"curtailment {wish.curtailment_id} exists already")
        if wish.feeder not in snapshot.tree.index:
            raise Denied(Refusal.UNKNOWN_FEEDER, f"site {wish.site} has no feeder {wish.feeder!r}")
        sample = meter_sample(snapshot, wish.feeder)
        if sample.power_w is None:
            raise Denied(Refusal.METER_UNUSABLE, sample.reason)
        if wish.target_w >= sample.power_w:
            raise Denied(
                Refusal.TARGET_ABOVE_LOAD,
                f"feeder {wish.feeder} draws {sample.power_w:,.0f} W, no more than {wish.target_w:,} W",
            )
        if wish.ends_at_ms is not None and wish.ends_at_ms <= wish.at_ms:
            raise Denied(Refusal.ENDS_IN_THE_PAST, f"curtailment {wish.curtailment_id} would end before it starts")
        return wish

    def start(self, curtailment_id: str, actor: str, now_ms: int) -> CurtailmentStarted:
        event = CurtailmentStarted(curtailment_id=curtailment_id, at_ms=now_ms, actor=actor)
        evolve(self.get(curtailment_id), event)
        return event

    def end(self, curtailment_id: str, actor: str, reason: str, now_ms: int) -> CurtailmentEnded | CurtailmentCancelled:
        """End a running one, or cancel one that was never started."""
        state = self.get(curtailment_id)
        kind = CurtailmentCancelled if state.phase is Phase.REQUESTED else CurtailmentEnded
        event = kind(curtailment_id=curtailment_id, at_ms=now_ms, actor=actor, reason=reason)
        evolve(state, event)
        return event

    def observe(self, snapshot: SiteSnapshot, wanted_w: Mapping[str, float]) -> tuple[AnyCurtailmentEvent, ...]:
        """What a site's meters and the time prove about its curtailments. `wanted_w` is dispatch's plan by feeder."""
        events = []
        for state in self._curtailments.values():
            if state.site != snapshot.site.id or state.phase in OVER or state.feeder not in snapshot.tree.index:
                continue
            streak, event = judge(
                state,
                self._streaks.get(state.curtailment_id, Streak()),
                meter_sample(snapshot, state.feeder),
                snapshot.taken_at_ms,
                self._proof,
                wanted_w.get(state.feeder),
            )
            self._streaks[state.curtailment_id] = streak
            if event is not None:
                events.append(event)
        return tuple(events)
