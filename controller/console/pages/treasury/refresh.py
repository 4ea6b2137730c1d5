"""Move coins whose recovery opens soon to a new address of their contract, so that their rest begins anew."""

from nicegui import ui

from controller.console.pages.treasury.page import TreasuryPage, field
from controller.console.parts.command_dialog import Confirmation, Given, order_box, order_sheet
from controller.console.topics.treasury.words import payment_href
from controller.people.model import Actor, Permission
from controller.views.treasury import ContractView, RefreshWish
from shared.errors import Malformed

HIGHEST_SAT_VB = 100_000


class RefreshDialog:
    def __init__(self, page: TreasuryPage, view: ContractView) -> None:
        self._page = page
        self._view = view

    def open(self) -> None:
        with order_box("Refresh coins") as self._dialog, order_sheet():
            with ui.element("h2").classes("bes-title"):
                ui.label("Refresh coins")
            ui.label(
                "The coins that are due move to a new address of this contract, as many as one payment may hold. "
                "Nobody is paid; only the fee leaves. It is approved and signed as any payment."
            ).classes("bes-text")
            self._rate = field(ui.input("Fee rate, sat/vB", value="2")).props("inputmode=numeric data-testid=rate")
            confirmation = Confirmation(self._page.visit, label="Propose", send=self._send, permission=Permission.SPEND)
            confirmation.cancel.on("click", self._dialog.close)
        self._dialog.on("hide", self._dialog.delete)
        self._dialog.open()

    async def _send(self, actor: Actor, given: Given) -> str:
        text = (self._rate.value or "").strip()
        if not (text.isascii() and text.isdecimal() and 0 < int(text) <= HIGHEST_SAT_VB):
            raise Malformed(f"fee rate: {text!r} is none; write a whole number from 1 to {HIGHEST_SAT_VB:,}")
        wish = RefreshWish(fee_rate_sat_vb=int(text), reason=given.reason)
        made = await self._page.desk.refresh(self._page.subject, wish, actor)
        self._page.spoil()
        self._dialog.close()
        return payment_href(made.proposal_id)
