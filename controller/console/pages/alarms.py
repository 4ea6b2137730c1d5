"""What needs a person, by priority and age; the journal below it."""

from nicegui import ui

from controller.console.format import moment, zone
from controller.console.pages.page import Page, card, heading
from controller.console.pages.site import alarms
from controller.console.parts.sheet import Column, Sheet

_ENTRIES = (
    Column("seq", "No."),
    Column("at", "When"),
    Column("kind", "Event"),
    Column("actor", "By"),
    Column("text", "What", wrap=True),
    Column("hash", "Leaf"),
)


async def build(page: Page) -> None:
    heading("Alarms", "one line a cause, however many devices it touches")
    with card("Standing"):
        await alarms(page)
    with card("Journal", "append-only, hash-chained; `bes audit verify` checks it on any machine"):
        await _journal(page)


async def _journal(page: Page) -> None:
    tz = zone(page.site.time_zone)

    async def search() -> None:
        found = await page.operations.journal.search(field.value or "", limit=30)
        sheet.props["first"] = [
            {
                "id": str(entry.seq),
                "cells": [
                    str(entry.seq),
                    moment(entry.at_ms, tz),
                    entry.kind,
                    entry.actor,
                    entry.text,
                    {"text": entry.hash[:12], "mono": True, "dim": True, "title": entry.hash},
                ],
            }
            for entry in found.entries
        ]
        sheet.update()

    field = ui.input(placeholder="Search the journal").classes("bes-input").style("width: 320px; margin-bottom: 8px")
    field.props("outlined dense maxlength=200 data-testid=journal").on("keydown.enter", search)
    sheet = Sheet(_ENTRIES, {"rows": []}, topic="", caption="Journal", empty="No entry.")
    await search()
