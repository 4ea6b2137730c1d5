"""What a draft would become, for the page on which it is written."""

from datetime import UTC, datetime, timedelta

from controller.console.feed import Content
from controller.console.format import number
from controller.console.topics.treasury.contract import branch_of, locks_of
from controller.views.treasury import DraftView, PathView

MINUTES_PER_BLOCK = 10


def tree(draft: DraftView) -> Content:
    """For the drawing of the ways to spend."""
    return {"root": draft.name or "this contract", "paths": [branch_of(path, ()) for path in draft.paths]}


def path_rows(draft: DraftView, height: int | None, now_ms: int) -> Content:
    """Each way with its first date, weight and fees."""
    rows = [
        {
            "id": path.name,
            "cells": [
                path.name,
                locks_of(path),
                opens(path, height, now_ms),
                number(path.input_wu),
                *(number(fee) for _, fee in sorted(path.fees_sat.items())),
            ],
        }
        for path in draft.paths
    ]
    return {"rows": rows}


def opens(path: PathView, height: int | None, now_ms: int) -> Content | str:
    """When a coin that the next block confirms could be spent so: a block, and its day at ten minutes a block."""
    if path.older_blocks is None and path.after_height is None:
        return "at once"
    if height is None:
        return {"text": "unknown: the node cannot be asked", "dim": True}
    relative = height + 1 + (path.older_blocks or 0)
    first = max(relative, 0 if path.after_height is None else path.after_height + 1)
    day = datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(minutes=MINUTES_PER_BLOCK * (first - height))
    return f"block {number(first)} ≈ {day:%Y-%m-%d}"


def state(draft: DraftView) -> str:
    """In a sentence, where nothing is wrong."""
    ways = f"{number(len(draft.paths))} ways to spend" if len(draft.paths) > 1 else "One way to spend"
    return f"{ways}; contract {draft.contract_id[:12]}. Nothing is written down yet."
