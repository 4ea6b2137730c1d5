"""The next address of a contract: as a picture to scan, in full, and how to check it without this page."""

from nicegui import ui

from controller.console.pages.treasury.page import TreasuryPage
from controller.console.parts.button import Button
from controller.console.parts.command_dialog import order_box, order_sheet
from controller.console.parts.copy_text import CopyText
from controller.console.parts.qr_code import QrCode
from controller.console.topics.treasury.words import grouped
from controller.people.model import Permission
from controller.views.treasury import ReceiveView

RECEIVING = frozenset({"registered", "funded", "active"})
"""Phases in which a contract may be paid."""


async def open_receive(page: TreasuryPage, name: str) -> None:
    """For those who may spend; refused until every box has registered the contract."""
    found = await page.visit.act(Permission.SPEND, lambda actor: page.desk.receive(page.subject, actor))
    if found is None:
        return
    with order_box(f"Receive to {name}") as dialog, order_sheet():
        with ui.element("h2").classes("bes-title"):
            ui.label(f"Receive to {name}")
        with ui.element("div").classes("bes-receive"):
            QrCode(f"bitcoin:{found.address}".upper(), label=f"QR code of the address {found.address}")
            with ui.element("div").classes("bes-stack"):
                ui.label(grouped(found.address)).classes("bes-address").props("data-testid=address")
                _origin(found)
        CopyText(found.address, test="receive-address")
        ui.label(
            "Use it for one payer. The next address is given out once this one was paid. A page can be forged: whoever "
            "sends a large amount compares the address with one that was derived from the descriptor elsewhere."
        ).classes("bes-hint")
        with ui.element("div").classes("bes-foot"):
            Button("Close", dialog.close, test="close")
    dialog.on("hide", dialog.delete)
    dialog.open()


def _origin(found: ReceiveView) -> None:
    place = f"Address number {found.index:,} of the receiving branch ({found.branch}/{found.index})"
    ui.label(f"{place}; no payment to it was ever seen.").classes("bes-text").props("data-testid=place")
    ui.label(f"Derived by {' and again by '.join(found.derived_by)}: both came to this address.").classes("bes-text")
