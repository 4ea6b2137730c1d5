"""A dialog that takes something in: a refusal is said in it with its rule, and nothing that was written is lost."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from nicegui import ui

from controller.console.pages.treasury.page import TreasuryPage
from controller.console.parts.button import Button
from controller.console.parts.command_dialog import order_box, order_sheet, refusal_text
from controller.people.model import Actor, Permission
from shared.errors import BesError

Work = Callable[[Actor], Awaitable[object]]
Run = Callable[[Work], Awaitable[bool]]


@contextmanager
def hand_in(page: TreasuryPage, heading: str) -> Iterator[Run]:
    """What stands inside is given a function that runs `Work` for those who may spend; the dialog closes when it was
    done.
    """

    async def run(work: Work) -> bool:
        try:
            actor = page.visit.actor()
            actor.require(Permission.SPEND)
            await work(actor)
        except BesError as error:
            refusal.set_text(refusal_text(error))
            refusal.set_visibility(True)
            return False
        page.spoil()
        dialog.close()
        return True

    with order_box(heading) as dialog, order_sheet():
        with ui.element("h2").classes("bes-title"):
            ui.label(heading)
        yield run
        refusal = ui.label().classes("bes-refusal").props("role=alert data-testid=refusal")
        refusal.set_visibility(False)
        with ui.element("div").classes("bes-foot"):
            Button("Close", dialog.close, test="cancel")
    dialog.on("hide", dialog.delete)
    dialog.open()
