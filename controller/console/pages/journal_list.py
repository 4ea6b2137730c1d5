"""The hash-chained log, searched part by part."""

from nicegui import ui

from controller.console.format import moment, zone
from controller.console.pages.page import Page
from controller.console.parts.button import Button
from controller.console.parts.sheet import Column, Sheet
from controller.people.model import Permission
from controller.views.journal import JournalEntry

ENTRIES_SHOWN = 30
_ENTRIES = (
    Column("seq", "No.", phone=False),
    Column("at", "When"),
    Column("kind", "Event", lead=True),
    Column("actor", "By"),
    Column("text", "What", wrap=True),
    Column("hash", "Leaf", phone=False),
)


class JournalList:
    """`search` shows the newest entries with the words of the field; the button what is older."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._older: int | None = None
        self._field = ui.input(placeholder="Search the journal").classes("bes-input bes-find")
        self._field.props('outlined dense maxlength=200 data-testid=journal aria-label="Search the journal"')
        self._field.on("keydown.enter", self.search)
        self._sheet = Sheet(_ENTRIES, {"rows": []}, topic="", caption="Journal", empty="")
        self._further = Button("Older", self._go_on, test="older-entries")

    async def search(self) -> None:
        await self._show(None)

    async def _go_on(self) -> None:
        await self._show(self._older)

    async def _show(self, before: int | None) -> None:
        text, journal = self._field.value or "", self._page.operations.journal
        found = await self._page.visit.act(
            Permission.VIEW, lambda _actor: journal.search(text, before=before, limit=ENTRIES_SHOWN)
        )
        if found is None:
            return
        self._older = found.before
        self._sheet.props["first"] = [self._row(entry) for entry in found.entries]
        self._sheet.props["empty"] = "No entry." if found.before is None else f"No entry down to No. {found.before:,}."
        self._sheet.update()
        self._further.set_visibility(found.before is not None)

    def _row(self, entry: JournalEntry) -> dict[str, object]:
        return {
            "id": str(entry.seq),
            "cells": [
                str(entry.seq),
                moment(entry.at_ms, zone(self._page.site.time_zone)),
                entry.kind,
                entry.actor,
                entry.text,
                {"text": entry.hash[:12], "mono": True, "dim": True, "title": entry.hash},
            ],
        }
