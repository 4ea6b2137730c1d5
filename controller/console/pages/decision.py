"""A card of dispatch's decisions: the latest ones, or the one that a command cites."""

from controller.console.pages.page import Page, card
from controller.console.parts.sheet import Column, Sheet

_COLUMNS = (
    Column("when", "Decided", lead=True),
    Column("trigger", "Because of", wrap=True),
    Column("ordered", "Ordered", end=True),
    Column("objective", "Aim", wrap=True),
    Column("binding", "Held back by", wrap=True),
    Column("gap", "Gap", end=True),
)


async def decision_card(page: Page, decision_id: str = "") -> None:
    topic, title = ("cited-decision", "Decision") if decision_id else ("decisions", "Decisions")
    with card(title, "each with what holds it back and how far it may be from the best"):
        rows = await page.follow(topic, decision_id)
        Sheet(_COLUMNS, rows, topic=topic, caption=title, empty="None was written down yet.")
