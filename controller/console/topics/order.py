"""Commands: those that run first, then the history; one command with the truth of each device."""

from controller.console.feed import Content, Topic
from controller.console.format import age, number, plural, power_unit, quantity
from controller.console.topics.words import miner_href, outcome_parts, site_href
from controller.views.order import OrderDetail, OrderView, OutcomeView
from controller.views.ports import Operations

SHOWN_OUTCOMES = 200
_PHASE_TONES = {"awaiting-approval": 2, "running": 0, "expired": 2}
_STATE_TONES = {"contradicted": 2, "refused": 3, "unknown": 3}


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def orders(site: str, _subject: str) -> Content:
        page = await operations.orders.listed(site, limit=100)
        running = sorted(page.orders, key=lambda order: order.phase in ("ended", "expired"))
        return {"rows": [order_row(order, operations.clock.now_ms()) for order in running]}

    async def order(_site: str, order_id: str) -> Content:
        return order_head(await operations.orders.detail(order_id), operations.clock.now_ms())

    async def outcomes(site: str, order_id: str) -> Content:
        detail = await operations.orders.detail(order_id)
        return {"rows": [_outcome_row(item, detail.order, site) for item in detail.outcomes[:SHOWN_OUTCOMES]]}

    return (Topic("orders", 1.0, orders), Topic("order", 1.0, order), Topic("outcomes", 1.0, outcomes))


def order_row(order: OrderView, now_ms: int) -> Content:
    acts = [{"name": "approve", "label": "Approve"}] if order.phase == "awaiting-approval" else []
    if order.retryable:
        acts.append({"name": "retry", "label": f"Retry {order.retryable:,}"})
    return {
        "id": order.id,
        "cells": [
            {"text": order.title, "href": site_href(order.site, f"commands/{order.id}")},
            {"text": order.phase.replace("-", " "), "tag": True, "tone": _PHASE_TONES.get(order.phase, 0)},
            {"outcomes": outcome_parts(order.counts), "text": _counts(order)},
            f"{number(order.counts.get('confirmed', 0))} of {number(order.devices)}",
            _not_as_ordered(order),
            order.reason,
            order.issued_by,
            {"text": f"{age(order.issued_at_ms, now_ms)} ago", "dim": True, "acts": acts},
        ],
    }


def order_head(detail: OrderDetail, now_ms: int) -> Content:
    """In the form of a miner's head: a sentence, figures, a line of small print."""
    order = detail.order
    change = order.measured_change_w
    figures = [
        ("Devices", number(order.devices), ""),
        ("Confirmed", number(order.counts.get("confirmed", 0)), ""),
        ("Contradicted", number(order.counts.get("contradicted", 0)), ""),
        ("Refused", number(order.counts.get("refused", 0)), ""),
        ("Unknown", number(order.counts.get("unknown", 0)), ""),
        ("On the way", number(order.devices - order.finished), ""),
    ]
    if change is not None:
        figures.insert(0, ("Meter", quantity(change, power_unit(change)), ""))
    journal = f" · journal {order.journal_seq}" if order.journal_seq is not None else ""
    approved = f" · approved by {order.approved_by}" if order.approved_by else ""
    return {
        "sentence": f"{order.title[:1].upper()}{order.title[1:]}: {order.phase.replace('-', ' ')}",
        "why": f"{order.reason or 'No reason given'} · by {order.issued_by} {age(order.issued_at_ms, now_ms)} ago"
        f"{approved}{journal}",
        "figures": [{"label": label, "value": value, "unit": unit} for label, value, unit in figures],
        "read": f"Order {order.id}" + (f", a retry of {order.retry_of}" if order.retry_of else ""),
    }


def _counts(order: OrderView) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in order.counts.items() if count)


def _not_as_ordered(order: OrderView) -> str:
    odd = {state: order.counts.get(state, 0) for state in ("contradicted", "refused", "unknown")}
    return ", ".join(f"{count:,} {state}" for state, count in odd.items() if count)


def _outcome_row(outcome: OutcomeView, order: OrderView, site: str) -> Content:
    last = outcome.trail[-1] if outcome.trail else None
    took = f"{(last.at_ms - order.issued_at_ms) / 1000:.1f} s" if last else ""
    return {
        "id": outcome.device_id,
        "cells": [
            {"text": outcome.slot, "href": miner_href(site, outcome.device_id)},
            {"text": outcome.state, "tag": True, "tone": _STATE_TONES.get(outcome.state, 0)},
            took,
            last.observed if last else "",
            " · ".join(text for text in (last.detail, last.rule) if text) if last else "",
        ],
    }


def shown_of(detail: OrderDetail) -> str:
    """How much of an order the table shows; nothing where it shows all."""
    if detail.order.devices <= SHOWN_OUTCOMES:
        return ""
    return f"{SHOWN_OUTCOMES} of {plural(detail.order.devices, 'device')}, those not as ordered first"
