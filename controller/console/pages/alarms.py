"""What needs a person, by priority and age; the journal below it."""

from nicegui import ui

from controller.console.format import moment, zone
from controller.console.pages.page import Page, card, heading
from controller.console.pages.site import alarms
from controller.console.parts.sheet import Column, Sheet
from controller.people.model import Permission

_ENTRIES = (
    Column("seq", "No.", phone=False),
    Column("at", "When"),
    Column("kind", "Event", lead=True),
    Column("actor", "By"),
    Column("text", "What", wrap=True),
    Column("hash", "Leaf", phone=False),
)
ENTRIES_SHOWN = 30


async def build(page: Page) -> None:
    heading("Alarms", "one line a cause, however many devices it touches")
    with card("Standing"):
        await alarms(page)
    with card("Journal", "append-only, hash-chained; `bes audit verify` checks it on any machine"):
        await _journal(page)


async def _journal(page: Page) -> None:
    tz = zone(page.site.time_zone)

    async def search() -> None:
        text = field.value or ""
        work = page.operations.journal.search
        found = await page.visit.act(Permission.VIEW, lambda _actor: work(text, limit=ENTRIES_SHOWN))
        if found is None:
            return
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

    field = ui.input(placeholder="Search the journal").classes("bes-input bes-find")
    field.props('outlined dense maxlength=200 data-testid=journal aria-label="Search the journal"')
    field.on("keydown.enter", search)
    sheet = Sheet(_ENTRIES, {"rows": []}, topic="", caption="Journal", empty="No entry.")
    await search()
