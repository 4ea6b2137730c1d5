"""One miner: sentence, figures with their trust, boards, what was ordered and what became of it."""

from zoneinfo import ZoneInfo

from controller.console.feed import Content, Topic
from controller.console.format import MISSING, age, celsius, duration, moment, number, percent, zone
from controller.console.topics.words import SUSPECT, site_href
from controller.views.command import DeviceCommand, OutcomeStep
from controller.views.condition import Condition
from controller.views.miner import BoardRow, Evidence, MinerDetail
from controller.views.ports import Operations
from shared.quality import Quality

_SUSPECT_WORDS = frozenset(quality.name.lower() for quality in SUSPECT)
_UNSEEN = frozenset({Condition.SILENT.word, Condition.UNPOWERED.word})
_TONES = {"contradicted": 2, "refused": 3, "unknown": 0}


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def miner(site: str, device_id: str) -> Content:
        detail = await operations.fleet.miner(site, device_id)
        explanation = operations.dispatch.explain(site, device_id)
        return miner_content(detail, explanation.text if explanation else "", operations.clock.now_ms())

    async def boards(site: str, device_id: str) -> Content:
        detail = await operations.fleet.miner(site, device_id)
        return {"rows": [_board_row(board, operations.clock.now_ms()) for board in detail.boards]}

    async def commands(site: str, device_id: str) -> Content:
        done = await operations.commands.of_device(site, device_id)
        return {"rows": [_command_row(item, site, operations.clock.now_ms()) for item in done]}

    async def evidence(site: str, device_id: str) -> Content:
        detail = await operations.fleet.miner(site, device_id)
        tz = zone(next((view.time_zone for view in operations.fleet.sites() if view.id == site), "UTC"))
        return {"items": [_evidence_item(item, tz) for item in detail.evidence]}

    return (
        Topic("miner", 2.0, miner),
        Topic("boards", 2.0, boards),
        Topic("miner-commands", 1.0, commands),
        Topic("evidence", 1.0, evidence),
    )


def miner_content(detail: MinerDetail, why: str, now_ms: int) -> Content:
    row = detail.row

    def figure(label: str, field: str, value: str, unit: str) -> Content:
        quality = detail.qualities.get(field, "good")
        estimated = quality == Quality.ESTIMATED.name.lower() or (
            field == "power_w" and row.power_source == "estimated"
        )
        shown = f"≈ {value}" if estimated and value != MISSING else value
        title = f"{label}: {quality.replace('_', ' ')}"
        return {"label": label, "value": shown, "unit": unit, "suspect": quality in _SUSPECT_WORDS, "title": title}

    ratio = None
    if row.hashrate_ths is not None and row.hashrate_expected_ths:
        ratio = 100.0 * row.hashrate_ths / row.hashrate_expected_ths
    return {
        "sentence": detail.sentence,
        "stale": row.condition in _UNSEEN,
        "why": why,
        "figures": [
            figure("Hash rate", "hashrate_ths", number(row.hashrate_ths, 1), "TH/s"),
            figure("Of expected", "hashrate_expected_ths", number(ratio), "%"),
            figure("Power", "power_w", number(row.power_w), _watts_of(row.power_limit_w)),
            figure("Efficiency", "power_w", number(row.efficiency_j_per_th, 1), "J/TH"),
            figure("Hottest chip", "chip_temp_c", number(row.chip_temp_c), "°C"),
            figure("Inlet", "inlet_temp_c", number(row.inlet_temp_c), "°C"),
            figure("Slowest fan", "fan_rpm", number(row.fan_rpm), "rpm"),
            figure("Up", "uptime_s", duration(row.uptime_s), ""),
        ],
        "read": f"Read {age(row.observed_at_ms, now_ms)} ago · power {row.power_source.replace('_', ' ')} · "
        f"shares {number(row.accepted_shares)} accepted, {number(row.rejected_shares)} rejected",
    }


def _watts_of(limit_w: float | None) -> str:
    return "W" if limit_w is None else f"W of {number(limit_w)}"


def _evidence_item(item: Evidence, tz: ZoneInfo | None) -> Content:
    return {"head": f"{item.request.replace('_', ' ')}, {moment(item.observed_at_ms, tz)}", "reply": item.reply}


def _board_row(board: BoardRow, now_ms: int) -> Content:
    share = None
    if board.hashrate_ths is not None and board.hashrate_expected_ths:
        share = 100.0 * board.hashrate_ths / board.hashrate_expected_ths
    dead = None
    if board.chips_good is not None and board.chips_expected is not None:
        dead = board.chips_expected - board.chips_good
    return {
        "id": str(board.slot),
        "cells": [
            f"Board {board.slot}",
            number(board.hashrate_ths, 1),
            percent(share),
            celsius(board.chip_temp_c),
            celsius(board.board_temp_c),
            {"text": f"{number(board.chips_good)} of {number(board.chips_expected)}", "mark": 2}
            if dead
            else f"{number(board.chips_good)} of {number(board.chips_expected)}",
            number(board.frequency_mhz),
            number(board.hardware_errors),
            {"text": age(board.observed_at_ms, now_ms), "dim": True},
        ],
    }


def _command_row(item: DeviceCommand, site: str, now_ms: int) -> Content:
    command, outcome = item.command, item.outcome
    return {
        "id": command.id,
        "cells": [
            {"text": command.verb.replace("_", " "), "href": site_href(site, f"commands/{command.id}")},
            {"text": outcome.state, "tag": True, "tone": _TONES.get(outcome.state, 0)},
            _trail(command.issued_at_ms, outcome.trail),
            command.issued_by,
            {"text": f"{age(command.issued_at_ms, now_ms)} ago", "dim": True},
        ],
    }


def _trail(issued_at_ms: int, trail: tuple[OutcomeStep, ...]) -> str:
    """Every step with its time after the order, and what the last one saw."""
    steps = [f"{step.state} +{(step.at_ms - issued_at_ms) / 1000:.1f} s" for step in trail]
    last = trail[-1] if trail else None
    seen = "; ".join(text for text in (last.observed, last.detail, last.rule) if text) if last else ""
    return " → ".join(steps) + (f": {seen}" if seen else "")
