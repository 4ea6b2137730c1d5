"""Feeders against limits, meters against miners, a running curtailment."""

from controller.console.feed import Content, Topic
from controller.console.format import (
    MISSING,
    Unit,
    age,
    amount,
    duration,
    number,
    percent,
    plural,
    power_unit,
    quantity,
    signed,
)
from controller.console.topics.words import miners_href, outcome_parts
from controller.views.curtailment import CurtailmentView
from controller.views.energy import EnergyState, FeederView, MeterView
from controller.views.ports import Operations

SHOWN_CURTAILMENTS = 8
FULL_PCT = 98.0  # the dispatch fills feeders on purpose; only beyond it is worth a colour
_SMALL = frozenset({"pdu", "leg"})
_PHASES = {
    "awaiting-approval": ("waits for a second person", 2),
    "shedding": ("shedding", 2),
    "holding": ("holding, confirmed by meter", 0),
    "missed": ("target missed", 1),
    "restoring": ("restoring", 2),
    "restored": ("restored", 0),
    "unknown": ("capped, but no meter can be used", 2),
    "unrestored": ("ended, load not shown again by the meter", 2),
    "cancelled": ("cancelled before it began", 0),
}


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def feeders(site: str, _subject: str) -> Content:
        return feeder_content(operations.energy.state(site), operations.clock.now_ms())

    async def main_feeders(site: str, _subject: str) -> Content:
        return feeder_content(operations.energy.state(site), operations.clock.now_ms(), brief=True)

    async def meters(site: str, _subject: str) -> Content:
        return meter_content(operations.energy.state(site), operations.clock.now_ms())

    async def curtailment(site: str, _subject: str) -> Content:
        listed = operations.curtailments.listed(site)
        newest = next((view for view in listed if view.active), listed[0] if listed else None)
        return {"state": newest and curtailment_content(newest, operations.clock.now_ms())}

    async def curtailments(site: str, _subject: str) -> Content:
        listed = operations.curtailments.listed(site)[:SHOWN_CURTAILMENTS]
        return {"rows": [_past_row(view, operations.clock.now_ms()) for view in listed]}

    return (
        Topic("feeders", 2.0, feeders),
        Topic("main-feeders", 2.0, main_feeders),
        Topic("meters", 2.0, meters),
        Topic("curtailment", 1.0, curtailment),
        Topic("curtailments", 1.0, curtailments),
    )


def feeder_content(state: EnergyState, now_ms: int, *, brief: bool = False) -> Content:
    """All feeders, or where `brief` those down to the containers and any that is loaded to its limit."""
    unit = power_unit(state.power_w.value)
    depth: dict[str, int] = {}
    rows = []
    for feeder in state.feeders:
        depth[feeder.id] = depth.get(feeder.parent or "", -1) + 1
        if brief and feeder.kind in _SMALL and (feeder.load_pct or 0.0) < FULL_PCT:
            continue
        rows.append(_feeder_row(feeder, depth[feeder.id], unit, state.site, now_ms))
    return {"rows": rows}


def _feeder_row(feeder: FeederView, depth: int, unit: Unit, site: str, now_ms: int) -> Content:
    load = feeder.load_w
    name = {"text": feeder.name or feeder.id, "href": miners_href(site, f"feeder:{feeder.id}")}
    return {
        "id": feeder.id,
        "depth": depth,
        "cells": [
            name if depth else {"text": feeder.name or feeder.id},
            amount(load.value, unit),
            amount(feeder.limit_w, unit),
            _load_cell(feeder.load_pct),
            {"text": f"{load.source} · {age(load.observed_at_ms, now_ms)}", "dim": True},
        ],
    }


def _load_cell(pct: float | None) -> Content:
    if pct is None:
        return {"text": MISSING, "dim": True}
    return {"load": round(pct), "text": percent(pct), "full": pct >= FULL_PCT}


def meter_content(state: EnergyState, now_ms: int) -> Content:
    unit = power_unit(state.power_w.value)
    return {"rows": [_meter_row(meter, unit, now_ms) for meter in state.meters]}


def _meter_row(meter: MeterView, unit: Unit, now_ms: int) -> Content:
    power, residual = meter.power_w.value, meter.residual_w
    share = signed(100.0 * residual / power) if residual is not None and power else MISSING
    energy = None if meter.energy_import_wh is None else meter.energy_import_wh / 1e6
    return {
        "id": meter.id,
        "cells": [
            meter.name or meter.id,
            amount(power, unit),
            amount(meter.miners_w, unit),
            {"text": f"{amount(residual, unit)} ({share} %)" if residual is not None else MISSING},
            number(meter.power_factor, 2),
            number(meter.frequency_hz, 2),
            number(energy, 1),
            {"text": age(meter.power_w.observed_at_ms, now_ms), "dim": True},
        ],
    }


def curtailment_content(view: CurtailmentView, now_ms: int) -> Content:
    unit = power_unit(view.baseline_w)
    phase, tone = _PHASES.get(view.phase, (view.phase, 0))
    power_w = view.power_w
    return {
        "id": view.id,
        "phase": phase,
        "tone": tone,
        "active": view.active,
        "can_approve": view.phase == "awaiting-approval",
        "can_end": view.phase in ("shedding", "holding", "missed", "unknown"),
        "power": quantity(power_w, unit),
        "target": quantity(view.target_w, unit),
        "baseline": quantity(view.baseline_w, unit),
        "change": signed(None if power_w is None else (power_w - view.baseline_w) / unit.factor, unit.decimals),
        "wanted": quantity(view.target_w - view.baseline_w, unit),
        "time_to_target": _time_to_target(view, now_ms),
        "confirmed": _confirmed(view),
        "now_pct": _share(power_w or 0.0, view.baseline_w),
        "target_pct": _share(view.target_w, view.baseline_w),
        "outcomes": outcome_parts(view.counts),
        "text": _curtailment_text(view, now_ms),
    }


def _confirmed(view: CurtailmentView) -> str:
    """Of all that was ordered for it; the dispatch may take more miners than the preview counted."""
    if not view.counts:
        return MISSING
    ordered = max(view.miners, sum(view.counts.values()))
    return f"{number(view.counts.get('confirmed', 0))} of {number(ordered)}"


def _past_row(view: CurtailmentView, now_ms: int) -> Content:
    unit = power_unit(view.baseline_w)
    phase, tone = _PHASES.get(view.phase, (view.phase, 0))
    return {
        "id": view.id,
        "cells": [
            {"text": f"{age(view.started_at_ms, now_ms)} ago"},
            amount(view.target_w - view.baseline_w, unit),
            duration(view.time_to_target_s),
            {"text": phase, "tag": True, "tone": tone},
            {"text": f"{view.reason}, {view.started_by}", "dim": True},
        ],
    }


def _share(part_w: float, whole_w: float) -> float:
    return round(max(0.0, min(100.0, 100.0 * part_w / whole_w)), 1) if whole_w > 0 else 0.0


def _time_to_target(view: CurtailmentView, now_ms: int) -> str:
    if view.time_to_target_s is not None:
        return duration(view.time_to_target_s)
    return f"{duration((now_ms - view.started_at_ms) / 1000)} so far" if view.phase == "shedding" else MISSING


def _curtailment_text(view: CurtailmentView, now_ms: int) -> str:
    parts = [f"{view.reason or 'No reason given'}, by {view.started_by}", f"{age(view.started_at_ms, now_ms)} ago"]
    if view.approved_by:
        parts.append(f"approved by {view.approved_by}")
    if view.commands:
        parts.append(plural(len(view.commands), "command"))
    return " · ".join(parts)
