"""One signing box, in its own words."""

from controller.console.format import plural
from controller.console.pages.page import card
from controller.console.pages.treasury.page import TreasuryPage, title
from controller.console.parts.copy_text import CopyText
from controller.console.parts.panel import Head
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.treasury.box import box_of

_LIMITS = (
    Column("contract", "Contract", lead=True, wrap=True),
    Column("window", "Left in this window", wrap=True),
    Column("used", "Window used"),
    Column("lifetime", "Left in all", wrap=True),
    Column("policy", "Policy", end=True),
)
_UNFIT = (
    Column("contract", "Contract", lead=True, wrap=True),
    Column("state", "State"),
    Column("why", "Why", wrap=True),
)


async def build(page: TreasuryPage) -> None:
    state = await page.desk.state()
    box = box_of(state, page.subject)
    title(f"Box {box.node}", "all boxes")
    with card().classes("bes-first"):
        Head(await page.follow("box"), topic="box")
    with card("What it would still sign", "as it counts itself; a fee counts as spending").classes("bes-first"):
        rows = await page.follow("box-limits")
        Sheet(_LIMITS, rows, topic="box-limits", caption="Limits left", empty="It has named no limit.")
    with card(
        "Contracts that it does not sign for", "contract.unfit: they do not pass what its release checks"
    ).classes("bes-first"):
        rows = await page.follow("box-unfit")
        Sheet(
            _UNFIT, rows, topic="box-unfit", caption="Contracts that it does not sign for", empty="It has named none."
        )
    with card("Who it is", "compare with what the box itself prints: bes box identity"):
        CopyText(box.box_id, test="box-id")
    with card("Ledger head", "each row is chained to the one before; the witnesses remember this head"):
        CopyText(box.ledger_head or "unknown: it has said nothing yet", test="ledger-head")
    with card("Keys", f"{plural(len(box.public_keys), 'key')} that its token offers for new contracts"):
        CopyText("\n".join(box.public_keys) or "It has named no key.", test="box-keys")
