"""What needs a person, by priority and age; what happened before; the journal. The address says which of them."""

from nicegui import background_tasks, ui
from nicegui.element import Element

from controller.console.pages.event_list import EventList
from controller.console.pages.journal_list import JournalList
from controller.console.pages.page import Page, card, heading
from controller.console.pages.site import alarms
from controller.console.parts.chip import choose, link
from controller.console.topics.words import site_href

_TABS = {"standing": "Standing", "events": "Events", "journal": "Journal"}


async def build(page: Page) -> None:
    heading("Alarms", "one line a cause, however many devices it touches")
    address = site_href(page.site.id, "alarms")
    with ui.element("nav").classes("bes-chips").props('aria-label="Alarms, events or journal"'):
        tabs = {name: link(label, f"{address}?show={name}", test=f"tab-{name}") for name, label in _TABS.items()}
    panels: dict[str, Element] = {}
    with card("Standing") as panels["standing"]:
        await alarms(page)
    with card("Events", "notices need nobody; an alarm stands here by when it was raised") as panels["events"]:
        events = EventList(page)
    with card("Journal", "append-only, hash-chained; `bes audit verify` checks it on any machine") as panels["journal"]:
        journal = JournalList(page)
        await journal.search()

    def ask(query: dict[str, str]) -> None:
        shown = query.get("show", "")
        shown = shown if shown in panels else "standing"
        choose(tabs, shown)
        for name, panel in panels.items():
            panel.set_visibility(name == shown)
        if shown == "events":
            background_tasks.create(events.show(query))

    ask(page.query)
    page.visit.answer_in_place(f"/site/{page.site.id}/alarms", ask)
