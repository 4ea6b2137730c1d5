"""Ask for a proof of control over an address of a contract."""

from nicegui import ui

from controller.console.format import sat
from controller.console.pages.treasury.page import TreasuryPage, field
from controller.console.parts.command_dialog import Confirmation, Given, order_box, order_sheet
from controller.console.topics.treasury.words import payment_href
from controller.people.model import Actor, Permission
from controller.views.treasury import ContractView, ControlWish
from shared.errors import Malformed

MOST_PLACES = 200
Place = tuple[int, int]


class ControlDialog:
    """`contract_id` is fixed when it opens; every judgement is the desk's and the boxes'."""

    def __init__(self, page: TreasuryPage, contract_id: str) -> None:
        self._page = page
        self._contract_id = contract_id

    async def open(self) -> None:
        view = await self._page.visit.act(Permission.SPEND, lambda _actor: self._page.desk.contract(self._contract_id))
        if view is None:
            return
        self._places = list(places_of(view))
        with order_box(f"Prove control of {view.summary.name}") as self._dialog, order_sheet():
            with ui.element("h2").classes("bes-title"):
                ui.label(f"Prove control of {view.summary.name}")
            named = dict(enumerate(places_of(view).values()))
            self._place = field(ui.select(named, value=0, label="Address")).props("data-testid=place")
            free = [path.name for path in view.paths if path.older_blocks is None and path.after_height is None]
            self._path = field(ui.select(free, value=free[0] if free else None, label="Path"))
            self._message = field(ui.textarea("Message, as the asker wrote it")).props(
                "maxlength=2000 data-testid=message autogrow"
            )
            ui.label(
                "Let the asker put a number of his own and a block into it, so that no old proof answers. Its proposer "
                "signs it, others approve it and boxes sign it, as with a payment; nothing moves, no limit counts it."
            ).classes("bes-hint")
            confirmation = Confirmation(self._page.visit, label="Ask", send=self._send, permission=Permission.SPEND)
            confirmation.cancel.on("click", self._dialog.close)
        self._dialog.on("hide", self._dialog.delete)
        self._dialog.open()

    async def _send(self, actor: Actor, given: Given) -> str:
        message = self._message.value or ""
        if not message.strip():
            raise Malformed("message: write what the asker wants signed")
        if self._path.value is None:
            raise Malformed("path: every path of this contract is locked, so none can prove anything")
        branch, index = self._places[self._place.value]
        wish = ControlWish(message=message, path=self._path.value, branch=branch, index=index, reason=given.reason)
        made = await self._page.desk.prove(self._contract_id, wish, actor)
        self._page.spoil()
        self._dialog.close()
        return payment_href(made.proposal_id)


def places_of(view: ContractView) -> dict[Place, str]:
    """Addresses that hold something, by branch and index, the richest first; the first of all where none does."""
    held: dict[Place, int] = {}
    for coin in view.coins or ():
        place = (coin.branch, coin.index)
        held[place] = held.get(place, 0) + coin.amount_sat
    richest = sorted(held.items(), key=lambda item: -item[1])[:MOST_PLACES]
    named = {place: f"{place[0]}/{place[1]}, holds {sat(amount_sat)}" for place, amount_sat in richest}
    return named or {(0, 0): "0/0, the first one; holds nothing that is known"}
