"""Propose a payment: path, whom of the allow-list, how much, how soon, why. Nothing is sent by it."""

from collections.abc import Callable

from nicegui import ui

from controller.console.format import UNKNOWN, money, parse_money, plural
from controller.console.pages.treasury.page import TreasuryPage, field
from controller.console.parts.button import Button
from controller.console.parts.command_dialog import Confirmation, Given, order_box, order_sheet
from controller.console.topics.treasury.words import payment_href, short
from controller.people.model import Actor, Permission
from controller.views.treasury import ContractView, DestinationView, PaymentView, PolicyView, ScheduleView, SpendingWish
from shared.errors import Malformed

_SPEEDS = {1: "in the next block", 3: "3 blocks", 6: "6 blocks", 24: "24 blocks", 144: "144 blocks"}
_USUAL = 6
_UNITS = {"btc": "BTC", "sat": "sat"}


class _Line:
    """One destination and its amount; what it means in both units stands below."""

    def __init__(
        self, listed: tuple[DestinationView, ...], changed: Callable[[], None], to: str = "", amount_sat: int = 0
    ) -> None:
        self._listed = listed
        self._changed = changed
        with ui.element("div").classes("bes-pay").props("data-testid=line") as self.box:
            named = {index: f"{one.name} · {short(one.address)}" for index, one in enumerate(listed)}
            self._to = field(ui.select(named, value=_named(listed, to), label="To", on_change=self._show))
            self._to.props("data-testid=to")
            amount = str(amount_sat) if amount_sat else ""
            self._amount = field(ui.input("Amount", value=amount, on_change=self._show)).props(
                "inputmode=decimal autocomplete=off"
            )
            self._amount.props("data-testid=amount")
            self._unit = field(
                ui.select(_UNITS, value="sat" if amount_sat else "btc", label="Unit", on_change=self._show)
            )
            self.remove = Button("Remove", lambda: None, test="remove")
            self._said = ui.label().classes("bes-hint").props("data-testid=said")
        self._show()

    @property
    def amount_sat(self) -> int | None:
        return parse_money(self._amount.value or "", in_btc=self._unit.value == "btc")

    def payment(self) -> PaymentView:
        """Malformed where a field says nothing that can be paid."""
        if self._to.value is None:
            raise Malformed("choose whom to pay")
        if self.amount_sat is None:
            raise Malformed(f"{self._amount.value!r} cannot be paid: write 0.125 as BTC, or 12500000 as sat")
        to = self._listed[self._to.value]
        return PaymentView(to.address, self.amount_sat, to.name)

    def _show(self) -> None:
        if not hasattr(self, "_said"):
            return
        sat, to = self.amount_sat, "" if self._to.value is None else self._listed[self._to.value].address
        amount = money(sat) if sat is not None else "no amount yet" if not self._amount.value else "no amount of money"
        self._said.set_text(f"{amount}{f' to {to}' if to else ''}")
        self._changed()


class ProposeDialog:
    """For people who may spend; every judgement is the desk's."""

    def __init__(self, page: TreasuryPage, view: ContractView) -> None:
        self._page = page
        self._view = view
        self._lines: list[_Line] = []

    async def open(self) -> None:
        """With the policy as it is now, not as it was when the page was built."""
        view = await self._page.visit.act(Permission.SPEND, lambda _actor: self._page.desk.contract(self._page.subject))
        if view is None:
            return
        if view.policy is None or not view.policy.allow_list:
            self._page.visit.say(Malformed(f"nobody may be paid from {view.summary.name}: its allow-list is empty"))
            return
        self._view, self._lines = view, []
        with order_box(f"Propose a payment from {view.summary.name}") as self._dialog, order_sheet():
            with ui.element("h2").classes("bes-title"):
                ui.label(f"Propose a payment from {view.summary.name}")
            self._fields(view, view.policy)
        self._dialog.on("hide", self._dialog.delete)
        self._dialog.open()

    def _fields(self, view: ContractView, policy: PolicyView) -> None:
        self._path = field(
            ui.select(
                {path.name: f"{path.name}: {path.sentence}" for path in view.paths}, value=_usual(view), label="Path"
            )
        ).props("data-testid=path")
        self._list = ui.element("div").style("display: grid; gap: 10px")
        self._total = ui.label().classes("bes-text").props("data-testid=total")
        self._listed = policy.allow_list
        self._scheduled(view.schedule)
        with ui.element("div").classes("bes-bulk"):
            Button("Pay one more", self._add, test="add-line")
            self._speed = field(ui.select(_SPEEDS, value=_USUAL, label="Wanted within")).style("min-width: 170px")
            self._speed.props("data-testid=speed")
        limits = policy.limits
        ui.label(
            f"At most {money(limits.per_tx_sat)} in one payment, fee included. The fee follows the node's estimate, at "
            f"most {limits.fee_rate_sat_vb:,} sat/vB. Coins, fee and change are shown before anybody approves; nothing "
            f"is sent without {plural(policy.approvals_needed, 'approval')} and boxes that agree."
        ).classes("bes-hint")
        confirmation = Confirmation(self._page.visit, label="Propose", send=self._send, permission=Permission.SPEND)
        confirmation.cancel.on("click", self._dialog.close)

    def _scheduled(self, schedule: ScheduleView | None) -> None:
        """A line for each payee of a batch; for a split, the amount that is to be split."""
        if schedule is None or schedule.weights:
            self._add()
        else:
            for payee in schedule.payees:
                self._add(payee)
        if schedule is not None and schedule.weights:
            shares = ", ".join(
                f"{payee} {part:,}" for payee, part in zip(schedule.payees, schedule.weights, strict=True)
            )
            with ui.element("div").classes("bes-bulk"):
                whole = field(ui.input("Split so many sat")).props("inputmode=numeric data-testid=whole")
                Button("Split by shares", lambda: self._split(whole.value or ""), test="split")
            ui.label(f"Shares: {shares}. Each part becomes a line above, to the satoshi.").classes("bes-hint")

    async def _split(self, whole: str) -> None:
        amount_sat = parse_money(whole, in_btc=False)
        if amount_sat is None:
            self._page.visit.say(
                Malformed(f"{whole!r} cannot be split: write the amount in sat, 12500000 for 0.125 BTC")
            )
            return
        parts = await self._page.visit.act(
            Permission.SPEND, lambda actor: self._page.desk.split(self._page.subject, amount_sat, actor)
        )
        if parts is None:
            return
        for line in self._lines:
            line.box.delete()
        self._lines = []
        for part in parts:
            self._add(part.name, part.amount_sat)

    def _add(self, to: str = "", amount_sat: int = 0) -> None:
        with self._list:
            line = _Line(self._listed, self._show_total, to, amount_sat)
        line.remove.on("click", lambda: self._drop(line))
        self._lines.append(line)
        self._show_total()

    def _drop(self, line: _Line) -> None:
        if len(self._lines) > 1:
            self._lines.remove(line)
            line.box.delete()
            self._show_total()

    def _show_total(self) -> None:
        amounts = [line.amount_sat for line in self._lines]
        known = [amount for amount in amounts if amount is not None]
        total = money(sum(known)) if len(known) == len(amounts) else UNKNOWN
        self._total.set_text(f"Leaves the contract: {total}" if amounts else "")

    async def _send(self, actor: Actor, given: Given) -> str:
        wish = SpendingWish(
            path=self._path.value,
            payments=tuple(line.payment() for line in self._lines),
            reason=given.reason,
            target_blocks=self._speed.value,
        )
        proposal = await self._page.desk.propose(self._page.subject, wish, actor)
        self._page.spoil()
        self._dialog.close()
        return payment_href(proposal.proposal_id)


def _named(listed: tuple[DestinationView, ...], to: str) -> int | None:
    """The place of `to` in the list; of the only one where nobody is named."""
    places = {one.name: place for place, one in enumerate(listed)}
    return places.get(to, 0 if len(listed) == 1 else None)


def _usual(view: ContractView) -> str | None:
    """The first path that is open at once."""
    free = (path.name for path in view.paths if path.older_blocks is None and path.after_height is None)
    return next(free, None)
