"""One payment: what leaves, how far it has come, approvals, boxes, and what its proposer and those who approve sign."""

from nicegui import ui

from controller.console.pages.page import card
from controller.console.pages.treasury.fee import FeeDialog
from controller.console.pages.treasury.page import TreasuryPage, sealed_bytes, title
from controller.console.parts.command_dialog import Confirmation, Given, order_box, order_sheet
from controller.console.parts.copy_text import CopyText
from controller.console.parts.file_box import FileBox
from controller.console.parts.payment import PaymentHead
from controller.console.parts.seal import SealBox
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.treasury.payment import payment_rows
from controller.console.topics.treasury.words import contract_href, payment_href
from controller.people.model import Actor, Permission
from controller.views.treasury import ProposalView

_PAYMENTS = (
    Column("name", "To", lead=True),
    Column("amount", "Amount", wrap=True),
    Column("address", "Address", wrap=True),
)
_APPROVALS = (Column("person", "Person", lead=True), Column("state", "State"), Column("keys", "Keys", wrap=True))
_BOXES = (
    Column("party", "Key", lead=True),
    Column("node", "Node"),
    Column("state", "State", wrap=True),
    Column("detail", "It said", wrap=True),
)


async def build(page: TreasuryPage) -> None:
    proposal = page.desk.proposal(page.subject)
    title(
        "Payment" if proposal.message is None else "Proof of control",
        f"from {proposal.contract}",
        contract_href(proposal.contract_id),
    )
    with card().classes("bes-first"):
        head = PaymentHead(await page.follow("payment"), topic="payment", spends=page.spends)
        head.on_act(lambda name: _act(page, name))
    with ui.element("div").classes("bes-cards bes-even bes-after"):
        with ui.element("div").classes("bes-stack"):
            if proposal.message is None:
                with card("Paid to"):
                    empty = "Nobody: the coins go back to the contract."
                    Sheet(_PAYMENTS, payment_rows(proposal), topic="", caption="Paid to", empty=empty)
            else:
                await _control(page, proposal, proposal.message)
            with card("Approvals"):
                rows = await page.follow("payment-approvals")
                empty = "Who may approve is not known."
                Sheet(_APPROVALS, rows, topic="payment-approvals", caption="Approvals", empty=empty)
            with card("Signing boxes"):
                rows = await page.follow("payment-boxes")
                Sheet(_BOXES, rows, topic="payment-boxes", caption="Signing boxes", empty="No box is asked now.")
        with ui.element("div").classes("bes-stack"):
            with card("Sign", "with a key of your own").classes("bes-first"):
                await _sign(page)
            with card("Transaction", f"by the path “{proposal.path}”"):
                ui.label("txid").classes("bes-hint")
                CopyText(proposal.txid, test="txid")
                ui.label("PSBT, without signatures").classes("bes-hint").style("margin-top: 8px")
                CopyText(proposal.psbt, test="psbt", file=f"{proposal.txid}.psbt", binary=True)
            with card("Sign without a link", "air-gapped and hardware signers"):
                await _files(page)


async def _sign(page: TreasuryPage) -> None:
    async def take(text: str, actor: Actor) -> ProposalView:
        waits_for_proposer = page.desk.proposal(page.subject).status == "proposed"
        work = page.desk.seal if waits_for_proposer else page.desk.approve
        return await work(page.subject, sealed_bytes(text), actor)

    ui.label(
        "This page could lie. Before you sign, compare address and amount on a machine of your own: the bytes below "
        "bind contract, transaction, amount and expiry, and boxes count nothing else."
    ).classes("bes-text").style("margin-bottom: 10px")
    first = await page.follow("payment-to-sign")
    SealBox(first, topic="payment-to-sign", spends=page.spends, take=page.taking(take))


async def _control(page: TreasuryPage, proposal: ProposalView, message: str) -> None:
    """The message that is signed, and the proof once there is one."""
    with card("Message", "as it is signed; nothing moves"):
        CopyText(message, test="message")
    with card("The proof", "for whoever asked"):
        content = await page.follow("payment-control")
        name, empty = f"proof-of-control-{proposal.proposal_id}.json", "It stands here when enough boxes have signed."
        CopyText(content["text"], test="control", file=name, topic="payment-control", empty=empty)


async def _files(page: TreasuryPage) -> None:
    async def take(party: str, text: str) -> bool:
        async def work(actor: Actor) -> ProposalView:
            return await page.desk.import_signatures(page.subject, party, sealed_bytes(text), actor)

        return await page.act(work) is not None

    ui.label("Save the PSBT above, sign it elsewhere, and bring the signed file back.").classes("bes-text").style(
        "margin-bottom: 8px"
    )
    FileBox(await page.follow("payment-files"), topic="payment-files", spends=page.spends, take=take)


async def _act(page: TreasuryPage, name: str) -> None:
    if name == "cancel":
        _open_cancel(page)
    elif name == "raise":
        proposal = page.desk.proposal(page.subject)
        contract = await page.visit.act(Permission.SPEND, lambda _actor: page.desk.contract(proposal.contract_id))
        FeeDialog(page, proposal, contract).open()
    elif name == "ask":
        await page.act(lambda actor: page.desk.ask_again(page.subject, actor))


def _open_cancel(page: TreasuryPage) -> None:
    async def send(actor: Actor, given: Given) -> str:
        await page.desk.cancel(page.subject, given.reason, actor)
        page.spoil()
        dialog.close()
        return payment_href(page.subject)

    with order_box("Take the payment back") as dialog, order_sheet():
        with ui.element("h2").classes("bes-title"):
            ui.label("Take the payment back")
        ui.label("No box was asked to sign it yet, so nothing can leave the contract by it.").classes("bes-text")
        confirmation = Confirmation(page.visit, label="Take back", send=send, permission=Permission.SPEND)
        confirmation.cancel.on("click", dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()
