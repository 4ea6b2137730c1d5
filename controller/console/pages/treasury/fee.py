"""Raise the fee of a payment that no block takes: in its place, or by a child. Both are approved anew."""

from nicegui import ui

from controller.console.pages.treasury.page import TreasuryPage, field
from controller.console.parts.command_dialog import Confirmation, Given, order_box, order_sheet
from controller.console.topics.treasury.fee import WAYS, HigherFee, child, rate_of, replacement, said
from controller.console.topics.treasury.words import payment_href
from controller.people.model import Actor, Permission
from controller.views.treasury import ContractView, ProposalView
from shared.errors import Malformed

HIGHEST_SAT_VB = 100_000


class FeeDialog:
    """`contract` gives the path's weight and the policy's ceilings; None where it cannot be read now."""

    def __init__(self, page: TreasuryPage, proposal: ProposalView, contract: ContractView | None) -> None:
        self._page = page
        self._proposal = proposal
        self._contract = contract

    def open(self) -> None:
        ways = dict(WAYS)
        if not self._proposal.change_sat:
            del ways["child"]
        with order_box("Raise the fee") as self._dialog, order_sheet():
            with ui.element("h2").classes("bes-title"):
                ui.label("Raise the fee")
            self._way = field(ui.select(ways, value="replace", label="How", on_change=self._show))
            self._rate = field(ui.input("New fee rate, sat/vB", on_change=self._show)).props("inputmode=numeric")
            self._rate.props("data-testid=rate autocomplete=off")
            self._figures = ui.label().classes("bes-text").props("data-testid=figures")
            self._against = ui.label().classes("bes-refusal").props("role=status data-testid=against")
            ui.label(
                "Either is another transaction: it is approved anew, and its own page shows the exact figures before "
                "anybody does. Replacing spends all coins of the first, so only one of the two can ever be in a block."
            ).classes("bes-hint")
            confirmation = Confirmation(self._page.visit, label="Propose", send=self._send, permission=Permission.SPEND)
            confirmation.cancel.on("click", self._dialog.close)
        self._rate.set_value(str(int(2 * rate_of(self._proposal)) + 1))
        self._dialog.on("hide", self._dialog.delete)
        self._dialog.open()

    def _wanted(self) -> int | None:
        text = (self._rate.value or "").strip()
        return int(text) if text.isascii() and text.isdecimal() and 0 < int(text) <= HIGHEST_SAT_VB else None

    def _show(self) -> None:
        if not hasattr(self, "_against"):
            return
        rate = self._wanted()
        if rate is None:
            figures, against = "", f"Write the rate as a whole number from 1 to {HIGHEST_SAT_VB:,}."
        else:
            policy = None if self._contract is None else self._contract.policy
            limits = None if policy is None else policy.limits
            figures, against = said(self._proposal, self._way.value, self._new(rate), limits)
        self._figures.set_text(figures)
        self._against.set_text(against)
        self._against.set_visibility(bool(against))

    def _new(self, rate: int) -> HigherFee:
        if self._way.value == "replace":
            return replacement(self._proposal, rate)
        paths = () if self._contract is None else self._contract.paths
        weights = [path.input_wu for path in paths if path.name == self._proposal.path]
        return child(self._proposal, rate, weights[0] if weights else self._proposal.weight_wu)

    async def _send(self, actor: Actor, given: Given) -> str:
        rate, desk = self._wanted(), self._page.desk
        if rate is None:
            raise Malformed(f"{self._rate.value!r} is no fee rate: write a whole number of sat/vB")
        raise_fee = desk.replace if self._way.value == "replace" else desk.help
        made = await raise_fee(self._page.subject, rate, given.reason, actor)
        self._page.spoil()
        self._dialog.close()
        return payment_href(made.proposal_id)
