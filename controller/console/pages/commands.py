"""All commands with their outcomes; one command with the truth of each device."""

from nicegui import ui

from controller.console.pages.decision import decision_card
from controller.console.pages.page import Page, card, heading
from controller.console.parts.panel import Head
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.command import shown_of
from controller.console.topics.words import site_href
from controller.people.model import Permission

_COMMANDS = (
    Column("title", "Command", lead=True),
    Column("phase", "Phase"),
    Column("bar", "Outcomes"),
    Column("confirmed", "Confirmed", end=True),
    Column("odd", "Not as ordered", wrap=True),
    Column("reason", "Reason", wrap=True),
    Column("by", "By"),
    Column("age", "When", end=True),
)
_OUTCOMES = (
    Column("slot", "Device", lead=True),
    Column("state", "Outcome"),
    Column("took", "After", end=True),
    Column("observed", "Read-back saw", wrap=True),
    Column("detail", "Detail", wrap=True),
)
_LEGEND = ("confirmed", "accepted", "waiting", "contradicted", "refused", "unknown")


async def build(page: Page) -> None:
    heading("Commands", "done means confirmed by an independent read-back")
    with card():
        rows = await page.follow("commands")
        sheet = Sheet(_COMMANDS, rows, topic="commands", caption="Commands", empty="Nothing has been ordered yet.")
        sheet.on_act(lambda command_id, name: act(page, command_id, name), operates=page.operates)
        with ui.element("div").classes("bes-legend").style("margin-top: 10px"):
            for state in _LEGEND:
                with ui.element("span"):
                    ui.element("i").classes(f"bes-o-{state}")
                    ui.label("on the way" if state == "accepted" else state)


async def build_one(page: Page) -> None:
    detail = await page.operations.commands.detail(page.subject)
    head = await page.follow("command", page.subject)
    outcomes = await page.follow("outcomes", page.subject)
    with ui.element("div").classes("bes-head").style("margin-bottom: 0"):
        with ui.element("h1"):
            ui.label("Command")
        with ui.element("a").classes("bes-link").props(f"href={site_href(page.site.id, 'commands')}"):
            ui.label("all commands")
    with card():
        Head(head, topic="command")
    if detail.command.decision:
        await decision_card(page, detail.command.decision)
    with card("Devices", shown_of(detail)):
        Sheet(
            _OUTCOMES, outcomes, topic="outcomes", caption="Outcome of each device", empty="No device is touched yet."
        )


async def act(page: Page, command_id: str, name: str) -> None:
    commands = page.operations.commands
    work = {"approve": commands.approve, "retry": commands.retry}.get(name)
    if work is None:
        return
    done = await page.visit.act(Permission.OPERATE, lambda actor: work(command_id, actor))
    page.visit.feed.spoil("commands")
    if done is not None and name == "retry":
        page.visit.go(site_href(page.site.id, f"commands/{done.id}"))
