"""Is the money safe, and does anything wait for me? Then payments, contracts, boxes."""

from nicegui import ui

from controller.console.pages.page import card
from controller.console.pages.treasury.page import TreasuryPage
from controller.console.parts.panel import Head
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.treasury.words import TREASURY

_NEEDS = (
    Column("mark", "", lead=True),
    Column("what", "What", wrap=True, lead=True),
    Column("action", "To do", wrap=True),
    Column("since", "Since", end=True),
)
PAYMENTS = (
    Column("to", "Payment", lead=True, wrap=True),
    Column("amount", "Amount", wrap=True),
    Column("contract", "From", wrap=True),
    Column("status", "Stands at"),
    Column("approvals", "Approvals", end=True),
    Column("who", "Still to approve", wrap=True),
    Column("since", "Proposed", end=True),
    Column("void", "Void from", wrap=True, end=True),
)
_CONTRACTS = (
    Column("name", "Contract", lead=True, wrap=True),
    Column("template", "Template", wrap=True),
    Column("phase", "Phase"),
    Column("balance", "Balance", wrap=True),
    Column("open", "Open payments", end=True),
    Column("policy", "Policy", end=True),
)
_BOXES = (
    Column("box", "Box", lead=True),
    Column("state", "State", wrap=True),
    Column("heard", "Heard", end=True),
    Column("place", "Site", wrap=True),
    Column("height", "Its block", end=True),
    Column("rows", "Ledger rows", end=True),
    Column("head", "Ledger head"),
)
_LIMITS = (
    Column("contract", "Contract", lead=True, wrap=True),
    Column("box", "Box"),
    Column("window", "Left in this window", wrap=True),
    Column("lifetime", "Left in all", wrap=True),
    Column("policy", "Policy", end=True),
)


async def build(page: TreasuryPage) -> None:
    with ui.element("div").classes("bes-head").style("margin-bottom: 0"):
        with ui.element("h1"):
            ui.label("Treasury")
        with ui.element("a").classes("bes-link").props(f"href={TREASURY}/proofs data-testid=proofs"):
            ui.label("proofs for outsiders")
    with card().classes("bes-first"):
        Head(await page.follow("treasury"), topic="treasury")
    with card("Needs a person").classes("bes-first"):
        await _sheet(page, _NEEDS, "treasury-needs", "Needs a person", "Nothing waits for anybody.")
    with card("Payments", "open ones; those that ended stand with their contract").classes("bes-first"):
        await _sheet(page, PAYMENTS, "treasury-payments", "Open payments", "No payment is open.")
    with card("Contracts"):
        empty = "No contract yet. Draft the first one."
        await _sheet(page, _CONTRACTS, "treasury-contracts", "Contracts", empty)
        if page.spends:
            with (
                ui.element("div").classes("bes-bulk").style("margin-top: 10px"),
                ui.element("a").classes("bes-button").props(f"href={TREASURY}/draft data-testid=draft"),
            ):
                ui.label("Draft a contract")
    with card("Signing boxes", "what each box said itself"):
        await _sheet(page, _BOXES, "treasury-boxes", "Signing boxes", "No signing box is known.")
    with card("What the boxes would still sign", "as each box counts it"):
        await _sheet(page, _LIMITS, "treasury-limits", "Limits left", "No box has named a limit.")


async def _sheet(page: TreasuryPage, columns: tuple[Column, ...], topic: str, caption: str, empty: str) -> None:
    Sheet(columns, await page.follow(topic), topic=topic, caption=caption, empty=empty)
