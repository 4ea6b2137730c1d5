"""Decisions written down before they act: those that order something, and those that something else holds back."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from controller.journal import EventCodec, Journal, RecordedEvent
from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.event import DecisionMade, FullFeeder
from controller.mining.dispatch.service import ACTOR
from shared.log import get_logger
from shared.units import WH_PER_MWH

GAP_WIDE = "dispatch.gap-wide"
UNSOUND = "dispatch.unsound"
WIDE_IN_A_ROW = 12  # right after a limit has fallen the bound itself is loose; a minute later it is not
KEPT_A_SITE = 500
NAMED_FEEDERS = 12
_PREFIX = "decision/"

codec = EventCodec((DecisionMade,))
log = get_logger("controller.decisions")

Tell = Callable[[str, str, str], None]
"""Site, code of an alarm, what is wrong; empty where it is over."""


class Kept(NamedTuple):
    fact: DecisionMade
    at_ms: int
    position: int


class DecisionBook:
    """Fills `controller.mining.dispatch.ports.Decisions`; the latest of each site are in memory, all in the journal."""

    def __init__(self, journal: Journal, tell: Tell) -> None:
        self._journal = journal
        self._tell = tell
        self._position = 0
        self._kept: defaultdict[str, deque[Kept]] = defaultdict(lambda: deque(maxlen=KEPT_A_SITE))
        self._held_back: dict[str, tuple[str, frozenset[str]]] = {}
        self._wide: defaultdict[str, int] = defaultdict(int)
        self._told: dict[tuple[str, str], str] = {}
        journal.subscribe(self.fold)

    async def restore(self, sites: Sequence[str]) -> None:
        """The latest of each site, as far as one look back into the journal finds them."""
        found = [await self._journal.search(f"{_PREFIX}{site}-", limit=KEPT_A_SITE) for site in sites]
        events = {event.position: event for one in found for event in one.events}
        self.fold([events[position] for position in sorted(events)])

    async def record(self, cycle: Cycle) -> None:
        """Durable when it returns, where the decision is one to keep."""
        self._say(cycle.site, UNSOUND, "")
        self._judge_gap(cycle)
        fact = _fact(cycle)
        held_back = cycle.held, frozenset(full.feeder for full in fact.binding) | fact.infeasible.keys()
        if not cycle.due and self._held_back.get(cycle.site) == held_back:
            return
        await self._journal.append(_PREFIX + cycle.decision_id, [codec.encode(fact, ACTOR)])
        self._held_back[cycle.site] = held_back
        log.info("dispatch.decided", site=cycle.site, decision=cycle.decision_id, ordered=cycle.due, held=cycle.held)

    def unsound(self, site: str, problem: str) -> None:
        """The audit contradicts a decision, and nothing of it was released."""
        self._say(site, UNSOUND, problem)

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            if event.position <= self._position or not event.stream.startswith(_PREFIX):
                continue
            self._position = event.position
            if (kept := _kept(event)) is not None:
                self._kept[kept.fact.site].appendleft(kept)

    def latest(self, site: str, limit: int) -> list[Kept]:
        """Newest first."""
        return list(self._kept[site])[:limit] if site in self._kept else []

    async def find(self, site: str, decision_id: str) -> Kept | None:
        """However old."""
        for event in await self._journal.stream(_PREFIX + decision_id):
            kept = _kept(event)
            if kept is not None and kept.fact.site == site:
                return kept
        return None

    def _judge_gap(self, cycle: Cycle) -> None:
        site, certificate = cycle.site, cycle.decision.certificate
        self._wide[site] = self._wide[site] + 1 if cycle.gap_too_wide else 0
        if not cycle.gap_too_wide:
            self._say(site, GAP_WIDE, "")
        elif self._wide[site] == WIDE_IN_A_ROW:
            text = f"{WIDE_IN_A_ROW} decisions in a row may earn up to {certificate.gap_usd_h:.2f} USD/h too little"
            self._say(site, GAP_WIDE, f"{text} ({certificate.gap_pct:.2f} %), the last is {cycle.decision_id}")

    def _say(self, site: str, code: str, problem: str) -> None:
        if self._told.get((site, code)) != problem:
            self._told[site, code] = problem
            self._tell(site, code, problem)


def _kept(event: RecordedEvent) -> Kept | None:
    fact = codec.decode(event)
    return Kept(fact, event.at_ms, event.position) if isinstance(fact, DecisionMade) else None


def _fact(cycle: Cycle) -> DecisionMade:
    problem, certificate = cycle.problem, cycle.decision.certificate
    worth = certificate.multiplier_usd_wh
    dearest = np.argsort(-worth, kind="stable")[: min(NAMED_FEEDERS, int((worth > 0).sum()))].tolist()
    runs = problem.hashrate_ths[cycle.decision.mode, np.arange(len(problem))] > 0
    reported = np.nan_to_num(cycle.snapshot.value("hashrate_ths"))[problem.row] > 0
    return DecisionMade(
        decision_id=cycle.decision_id,
        site=cycle.site,
        snapshot_id=cycle.snapshot.snapshot_id,
        trigger=cycle.trigger,
        held=cycle.held,
        profit_usd_h=None if cycle.held else certificate.objective_usd_h,
        bound_usd_h=None if cycle.held else certificate.bound_usd_h,
        gap_pct=None if cycle.held else certificate.gap_pct,
        binding=tuple(
            FullFeeder(
                problem.tree.ids[at],
                int(certificate.load_w[at]),
                int(problem.cap_w[at]),
                None if cycle.held else float(worth[at]) * WH_PER_MWH,
            )
            for at in dearest
        ),
        binding_feeders=int((worth > 0).sum()),
        infeasible=dict(cycle.infeasible),
        miners=len(problem),
        running=int(np.where(problem.free, runs, reported).sum()),
        ordered=cycle.due,
        solve_ms=round(cycle.solve_ms, 2),
    )
