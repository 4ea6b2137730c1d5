"""Commands: those that run first, then the history; one command with the truth of each device."""

from controller.console.feed import Content, Topic
from controller.console.format import age, number, plural, power_unit, quantity
from controller.console.topics.words import miner_href, outcome_parts, site_href
from controller.views.command import CommandDetail, CommandView, OutcomeView
from controller.views.ports import Operations

SHOWN_OUTCOMES = 200
_PHASE_TONES = {"awaiting-approval": 2, "running": 0, "expired": 2}
_STATE_TONES = {"contradicted": 2, "refused": 3, "unknown": 3}


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def commands(site: str, _subject: str) -> Content:
        page = await operations.commands.listed(site, limit=100)
        running = sorted(page.commands, key=lambda command: command.phase in ("ended", "expired"))
        return {"rows": [command_row(command, operations.clock.now_ms()) for command in running]}

    async def command(_site: str, command_id: str) -> Content:
        return command_head(await operations.commands.detail(command_id), operations.clock.now_ms())

    async def outcomes(site: str, command_id: str) -> Content:
        detail = await operations.commands.detail(command_id)
        return {"rows": [_outcome_row(item, detail.command, site) for item in detail.outcomes[:SHOWN_OUTCOMES]]}

    return (Topic("commands", 1.0, commands), Topic("command", 1.0, command), Topic("outcomes", 1.0, outcomes))


def command_row(command: CommandView, now_ms: int) -> Content:
    acts = [{"name": "approve", "label": "Approve"}] if command.phase == "awaiting-approval" else []
    if command.retryable:
        acts.append({"name": "retry", "label": f"Retry {command.retryable:,}"})
    return {
        "id": command.id,
        "cells": [
            {"text": command.title, "href": site_href(command.site, f"commands/{command.id}")},
            {"text": command.phase.replace("-", " "), "tag": True, "tone": _PHASE_TONES.get(command.phase, 0)},
            {"outcomes": outcome_parts(command.counts), "text": _counts(command)},
            f"{number(command.counts.get('confirmed', 0))} of {number(command.devices)}",
            _not_as_ordered(command),
            command.reason,
            command.issued_by,
            {"text": f"{age(command.issued_at_ms, now_ms)} ago", "dim": True, "acts": acts},
        ],
    }


def command_head(detail: CommandDetail, now_ms: int) -> Content:
    """In the form of a miner's head: a sentence, figures, a line of small print."""
    command = detail.command
    change = command.measured_change_w
    figures = [
        ("Devices", number(command.devices), ""),
        ("Confirmed", number(command.counts.get("confirmed", 0)), ""),
        ("Contradicted", number(command.counts.get("contradicted", 0)), ""),
        ("Refused", number(command.counts.get("refused", 0)), ""),
        ("Unknown", number(command.counts.get("unknown", 0)), ""),
        ("On the way", number(command.devices - command.finished), ""),
    ]
    if change is not None:
        figures.insert(0, ("Meter", quantity(change, power_unit(change)), ""))
    journal = f" · journal {command.journal_seq}" if command.journal_seq is not None else ""
    approved = f" · approved by {command.approved_by}" if command.approved_by else ""
    return {
        "sentence": f"{command.title[:1].upper()}{command.title[1:]}: {command.phase.replace('-', ' ')}",
        "why": f"{command.reason or 'No reason given'} · by {command.issued_by} {age(command.issued_at_ms, now_ms)} ago"
        f"{approved}{journal}",
        "figures": [{"label": label, "value": value, "unit": unit} for label, value, unit in figures],
        "read": f"Command {command.id}" + (f", a retry of {command.retry_of}" if command.retry_of else ""),
    }


def _counts(command: CommandView) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in command.counts.items() if count)


def _not_as_ordered(command: CommandView) -> str:
    odd = {state: command.counts.get(state, 0) for state in ("contradicted", "refused", "unknown")}
    return ", ".join(f"{count:,} {state}" for state, count in odd.items() if count)


def _outcome_row(outcome: OutcomeView, command: CommandView, site: str) -> Content:
    last = outcome.trail[-1] if outcome.trail else None
    took = f"{(last.at_ms - command.issued_at_ms) / 1000:.1f} s" if last else ""
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


def shown_of(detail: CommandDetail) -> str:
    """How much of a command the table shows; nothing where it shows all."""
    if detail.command.devices <= SHOWN_OUTCOMES:
        return ""
    return f"{SHOWN_OUTCOMES} of {plural(detail.command.devices, 'device')}, those not as ordered first"
