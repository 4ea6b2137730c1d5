"""Decisions of dispatch as a short list, and the one that a command cites."""

from controller.console.feed import Content, Topic
from controller.console.format import MISSING, USD_PER_MWH, age, number, percent, quantity
from controller.console.topics.words import site_href
from controller.views.decision import BindingFeeder, DecisionRecord
from controller.views.ports import Operations

SHOWN = 12
_NAMED = 3


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def decisions(site: str, _subject: str) -> Content:
        listed = operations.decisions.listed(site, limit=SHOWN)
        return {"rows": [decision_row(record, operations.clock.now_ms()) for record in listed]}

    async def cited(site: str, decision_id: str) -> Content:
        record = await operations.decisions.one(site, decision_id)
        return {"rows": [decision_row(record, operations.clock.now_ms())]}

    return (Topic("decisions", 2.0, decisions), Topic("cited-decision", 5.0, cited))


def decision_row(record: DecisionRecord, now_ms: int) -> Content:
    gap = MISSING if record.gap_pct is None else percent(record.gap_pct, 2)
    return {
        "id": record.id,
        "cells": [
            {"text": f"{age(record.at_ms, now_ms)} ago", "title": record.id},
            record.trigger,
            _ordered(record),
            record.held or "for profit",
            _binding(record),
            gap,
        ],
    }


def _ordered(record: DecisionRecord) -> Content:
    text = f"{number(record.ordered)} of {number(record.miners)}"
    if not record.command_ids:
        return {"text": text}
    return {"text": text, "href": site_href(record.site, f"commands/{record.command_ids[0]}")}


def _binding(record: DecisionRecord) -> str:
    named = [_worth(full) for full in record.binding[:_NAMED]]
    named += [f"{feeder} {number(watts)} W too many" for feeder, watts in record.infeasible.items()]
    more = record.binding_feeders - min(len(record.binding), _NAMED)
    return ", ".join(named + ([f"{more:,} more"] if more else [])) or "nothing"


def _worth(full: BindingFeeder) -> str:
    worth = full.shadow_price_usd_mwh
    return full.feeder if worth is None else f"{full.feeder} at {quantity(worth, USD_PER_MWH)}"
