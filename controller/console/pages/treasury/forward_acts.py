"""What a person does to a forward: offer or take it, save documents, sign the funding, take the stake back."""

import base64

from nicegui import ui

from controller.console.pages.treasury.hand_in import hand_in
from controller.console.pages.treasury.page import TreasuryPage, field, sealed_bytes
from controller.console.parts.button import Button
from controller.console.parts.copy_text import CopyText
from controller.console.parts.file_box import FileBox
from controller.console.parts.seal import SealBox
from controller.console.topics.treasury.forward import WORD
from controller.people.model import Actor, Permission
from controller.views.forward import ForwardView, OfferWish, TakeOfferWish
from controller.views.ports import ForwardDesk
from controller.views.treasury import ContractView


class ForwardActs:
    """Every act checks the permission to spend; whoever only looks is refused."""

    def __init__(self, page: TreasuryPage, forwards: ForwardDesk) -> None:
        self._page = page
        self._desk = forwards
        self._of = page.subject

    async def run(self, name: str) -> None:
        """By the names of `topics.treasury.forward.acts`."""
        match name:
            case "offer":
                self._open_offer()
            case "take":
                self._open_take()
            case "words":
                await self._open_words()
            case "return":
                self._open_return()
            case "ask":
                await self._page.act(lambda actor: self._desk.ask_again(self._of, actor))
            case _ if name.startswith("save-"):
                await self._open_document(name.removeprefix("save-"))

    async def take_file(self, name: str, text: str) -> bool:
        """A document of the other side, or the oracle's word."""

        async def work(actor: Actor) -> ForwardView:
            take = self._desk.attest if name == WORD else self._desk.take_promise
            return await take(self._of, sealed_bytes(text), actor)

        return await self._page.act(work) is not None

    async def take_deed(self, text: str, actor: Actor) -> ForwardView:
        return await self._desk.sign_deed(self._of, sealed_bytes(text), actor)

    def _open_offer(self) -> None:
        with hand_in(self._page, "Offer the forward") as run:
            stake, desk = _fields()
            ui.label("With the oracle's announcement of the event in the terms.").classes("bes-hint")

            async def take(side: str, text: str) -> bool:
                async def work(actor: Actor) -> ForwardView:
                    announcement = sealed_bytes(text)
                    wish = OfferWish(side=side, stake=_said(stake), announcement=announcement, their_desk=_said(desk))
                    return await self._desk.offer(self._of, wish, actor)

                return await run(work)

            first = _file("the announcement", "Offer it", ask="We are the", names=["miner", "buyer"])
            FileBox(first, topic="", spends=self._page.spends, take=take)

    def _open_take(self) -> None:
        with hand_in(self._page, "Take their offer") as run:
            stake, desk = _fields()
            ui.label("A field that differs from our own contract is named, and nothing begins.").classes("bes-hint")

            async def take(_name: str, text: str) -> bool:
                async def work(actor: Actor) -> ForwardView:
                    wish = TakeOfferWish(stake=_said(stake), offer=sealed_bytes(text), their_desk=_said(desk))
                    return await self._desk.take_offer(self._of, wish, actor)

                return await run(work)

            FileBox(_file("their offer", "Take it"), topic="", spends=self._page.spends, take=take)

    async def _open_document(self, name: str) -> None:
        async def work(actor: Actor) -> bytes:
            return self._desk.document(self._of, name, actor)

        document = await self._page.visit.act(Permission.SPEND, work)
        if document is None:
            return
        with hand_in(self._page, f"Our {name} document"):
            ui.label("Send it to the other side; it is sealed with the key of our desk.").classes("bes-text")
            text = base64.b64encode(document).decode()
            CopyText(text, test="document", file=f"forward-{self._of[:12]}.{name}", binary=True)

    async def _open_words(self) -> None:
        async def work(actor: Actor) -> list[dict[str, str]]:
            view = await self._page.desk.contract(self._of)
            persons = _persons(view, self._desk.forward(self._of))
            words = [(person, await self._desk.to_sign(self._of, person, actor)) for person in persons]
            return [{"name": person, "to_sign": base64.b64encode(word).decode()} for person, word in words]

        people = await self._page.visit.act(Permission.SPEND, work)
        if not people:
            return
        proposer = self._desk.forward(self._of).proposed_by
        with hand_in(self._page, "Propose or approve the funding") as run:

            async def take(text: str) -> bool:
                return await run(lambda actor: self._desk.word(self._of, sealed_bytes(text), actor))

            text = f"Proposed by {proposer}; others approve it." if proposer else "Nobody has proposed it yet."
            first = {"text": text, "to_sign": people[0]["to_sign"], "people": people}
            SealBox(first, topic="", spends=self._page.spends, take=take)

    def _open_return(self) -> None:
        with hand_in(self._page, "Take the stake back") as run:
            ui.label(
                "Our box pays the stake to our own address of the deed. The funding is void then, whoever signed it."
            ).classes("bes-text")

            async def send() -> None:
                await run(lambda actor: self._desk.take_back(self._of, actor))

            Button("Take it back", send, primary=True, order=True, test="send")


def _persons(view: ContractView, forward: ForwardView) -> tuple[str, ...]:
    """Each signs other bytes to propose; to approve they are the same for all."""
    approvers = [] if view.policy is None else view.policy.approvers
    persons = tuple(dict.fromkeys(one.person for one in approvers if one.role == "approver"))
    return persons[:1] if forward.proposed_by else persons


def _fields() -> tuple[ui.input, ui.input]:
    stake = field(ui.input("Our stake, as txid:vout")).props("data-testid=stake maxlength=80")
    desk = field(ui.input("The other company's desk key, in hex")).props("data-testid=their-desk maxlength=80")
    return stake, desk


def _said(box: ui.input) -> str:
    return (box.value or "").strip()


def _file(what: str, action: str, *, ask: str = "", names: list[str] | None = None) -> dict[str, object]:
    return {
        "text": "Everything is checked before anything begins.",
        "names": names or [what],
        "ask": ask,
        "label": f"or paste {what}, in base64",
        "action": action,
    }
