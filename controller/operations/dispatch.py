"""Dispatch's last decision in words and numbers, and its reason for one miner."""

from collections.abc import Iterator, Mapping

import numpy as np

from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.explain import Reason
from controller.mining.dispatch.landing import Landing
from controller.mining.fleet.array import Floats
from controller.operations.moment import Moments
from controller.operations.ports import SiteDispatch
from controller.views.dispatch import BindingConstraint, DecisionView, Explanation
from shared.errors import NotFound
from shared.units import W_PER_KW, WH_PER_MWH

_REASONS = {
    Reason.BEST: "run where they earn most at this price",
    Reason.UNPROFITABLE: "sleep: no mode earns its energy at this price",
    Reason.FEEDER_FULL: "are held back by a full feeder",
    Reason.REMAINDER: "are held back because no whole step fits what is left",
    Reason.LOCKED: "are left as they are",
    Reason.HELD_DOWN: "are held where they are",
}


class LiveDispatch:
    """Fills `controller.views.ports.Dispatch`. `services` may gain sites while it runs."""

    def __init__(self, moments: Moments, services: Mapping[str, SiteDispatch]) -> None:
        self._moments = moments
        self._services = services

    def decision(self, site: str) -> DecisionView | None:
        self._moments.of(site)
        service = self._services.get(site)
        if service is None or service.last is None:
            return None
        return _decision(service.last, automatic=service.automatic)

    def explain(self, site: str, device_id: str) -> Explanation | None:
        if device_id not in self._moments.of(site).snapshot.roster.row:
            raise NotFound(f"no miner {device_id!r} at {site}")
        service = self._services.get(site)
        cycle = None if service is None else service.last
        row = None if cycle is None else cycle.snapshot.roster.row.get(device_id)
        if cycle is None or row is None:
            return None
        return _explanation(cycle, row, device_id)


def _planned_ths(cycle: Cycle) -> Floats:
    """What each placed miner hashes under the decision; those that it leaves alone as they report."""
    problem = cycle.problem
    ordered = problem.hashrate_ths[cycle.decision.mode, np.arange(len(problem))]
    reported = np.nan_to_num(cycle.snapshot.value("hashrate_ths"))[problem.row]
    return np.where(problem.free, ordered, reported)


def _decision(cycle: Cycle, *, automatic: bool) -> DecisionView:
    certificate, problem, planned = cycle.decision.certificate, cycle.problem, _planned_ths(cycle)
    running = int((planned > 0).sum())
    changed = len(cycle.transition.downs) + sum(map(len, cycle.transition.waves)) + len(cycle.transition.blocked)
    return DecisionView(
        site=cycle.site,
        id=cycle.decision_id,
        at_ms=cycle.at_ms,
        objective="keep the limits" if cycle.held else "profit per hour",
        mode="automatic" if automatic else "advice only",
        solve_ms=cycle.solve_ms,
        power_w=float(certificate.load_w[problem.tree.parent < 0].sum()),
        hashrate_ths=float(planned.sum()),
        profit_usd_h=None if cycle.held else certificate.objective_usd_h,
        bound_usd_h=None if cycle.held else certificate.bound_usd_h,
        gap_pct=None if cycle.held else certificate.gap_pct,
        running=running,
        asleep=len(problem) - running,
        changed=changed,
        binding=tuple(_binding(cycle)),
        sentences=tuple(_sentences(cycle)),
    )


def _binding(cycle: Cycle) -> Iterator[BindingConstraint]:
    for feeder, watts in cycle.infeasible.items():
        text = f"feeder {feeder} cannot come below its limit: {watts:,} W too many"
        yield BindingConstraint(subject=feeder, text=text)
    worth = cycle.decision.certificate.multiplier_usd_wh
    for at in np.argsort(-worth, kind="stable")[: int((worth > 0).sum())].tolist():
        yield BindingConstraint(
            subject=cycle.problem.tree.ids[at],
            text=cycle.explanation.feeder_sentence(at),
            shadow_price_usd_mwh=None if cycle.held else float(worth[at]) * WH_PER_MWH,
        )


def _sentences(cycle: Cycle) -> Iterator[str]:
    if cycle.held:
        yield f"Nothing is changed for profit: {cycle.held}."
    yield from map(_landing, cycle.landings)
    counts = np.bincount(cycle.explanation.reason, minlength=len(Reason))
    for reason in sorted(Reason, key=lambda reason: -int(counts[reason])):
        if counts[reason]:
            unpriced = cycle.held and reason is Reason.BEST
            yield f"{counts[reason]:,} miners {_REASONS[Reason.HELD_DOWN if unpriced else reason]}."
    if cycle.transition.blocked.size:
        yield f"{cycle.transition.blocked.size:,} steps up wait for room."
    if cycle.gap_too_wide:
        yield "The decision may be further from the best than we accept."
    for refusal in cycle.refusals:
        yield f"The power door refused orders: {refusal}."


def _landing(landing: Landing) -> str:
    target = f"Feeder {landing.feeder} is kept at {landing.target_w / W_PER_KW:,.1f} kW"
    if landing.expected_w is None:
        return f"{target} by the count of its miners: its meter has not been seen at rest yet."
    room = "; miners that fit into the room are let up" if landing.short else ""
    return f"{target} by its meter, which shows {landing.expected_w / W_PER_KW:,.1f} kW before this decision{room}."


def _explanation(cycle: Cycle, row: int, device_id: str) -> Explanation:
    """Positions of a problem are rows of its roster; miners that are not placed stand behind the last one."""
    problem = cycle.problem
    if row >= len(problem):
        text = "left as it is: the site's file does not say which feeder it hangs on"
        return Explanation(device_id=device_id, decision="leave", target_w=None, text=text)
    mode, text = int(cycle.decision.mode[row]), cycle.explanation.sentence(row)
    if not problem.free[row]:
        return Explanation(device_id=device_id, decision="leave", target_w=None, text=text)
    return Explanation(
        device_id=device_id,
        decision="run" if problem.hashrate_ths[mode, row] > 0 else "sleep",
        target_w=float(problem.power_w[mode, row]),
        text=text,
        margin_usd_h=None if cycle.held else float(problem.value_usd_h[mode, row]),
    )
