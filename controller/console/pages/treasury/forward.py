"""One hash-rate forward: where it stands, who gets what, what is awaited, documents out and in."""

from nicegui import ui

from controller.console.pages.page import card
from controller.console.pages.treasury.forward_acts import ForwardActs
from controller.console.pages.treasury.page import TreasuryPage, title
from controller.console.parts.copy_text import CopyText
from controller.console.parts.file_box import FileBox
from controller.console.parts.panel import Sentences
from controller.console.parts.payment import PaymentHead
from controller.console.parts.seal import SealBox
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.treasury.forward import lines, payout_rows
from controller.console.topics.treasury.words import contract_href
from controller.views.ports import ForwardDesk
from shared.errors import NotFound

_PAYOUTS = (
    Column("difficulty", "Difficulty", lead=True, wrap=True),
    Column("share", "Miner's share"),
    Column("miner", "Miner gets", end=True),
    Column("buyer", "Buyer gets", end=True),
)


async def build(page: TreasuryPage) -> None:
    forwards = page.forwards
    if forwards is None:
        raise NotFound("this controller has no forwards")
    terms = forwards.terms(page.subject)
    acts = ForwardActs(page, forwards)
    title("Hash-rate forward", f"contract {terms.name}", contract_href(page.subject))
    with card().classes("bes-first"):
        head = PaymentHead(await page.follow("forward"), topic="forward", spends=page.spends)
        head.on_act(acts.run)
    with ui.element("div").classes("bes-cards bes-even bes-after"):
        with ui.element("div").classes("bes-stack"):
            with card("What was agreed on"):
                Sentences({"lines": lines(terms)}, topic="")
            with card("Who gets what", "by the difficulty of the deciding block; in small steps between two rows"):
                rows = {"rows": payout_rows(terms)}
                Sheet(_PAYOUTS, rows, topic="", caption="Payouts", empty="The terms name no payout.")
        with ui.element("div").classes("bes-stack"):
            with card("Bring in", "from the other side, or from the oracle").classes("bes-first"):
                files = await page.follow("forward-files")
                FileBox(files, topic="forward-files", spends=page.spends, take=acts.take_file)
            with card("Seal the deed", "for owners"):
                ui.label(
                    "The deed is all that our box goes by: terms, announcement and both stakes. Compare them on a "
                    "machine of your own before you sign."
                ).classes("bes-text").style("margin-bottom: 10px")
                deed = await page.follow("forward-deed")
                SealBox(deed, topic="forward-deed", spends=page.spends, take=page.taking(acts.take_deed))
            with card("Stakes", "each side pays its own, exactly this amount in one output"):
                _stakes(forwards, page.subject)


def _stakes(forwards: ForwardDesk, contract_id: str) -> None:
    for side in ("miner", "buyer"):
        stake = forwards.stake(contract_id, side)
        ui.label(f"The {side}: {stake.amount_sat:,} sat, to").classes("bes-hint").style("margin-top: 8px")
        CopyText(stake.address, test=f"stake-{side}")
