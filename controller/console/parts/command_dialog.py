"""Commands as documents: effect, rules, what is not included, reason, confirmation; then the command's own page."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from nicegui import ui

from controller.console.format import MISSING, number, power_unit, quantity
from controller.console.parts.button import Button
from controller.console.parts.panel import Facts
from controller.console.topics.words import site_href
from controller.console.visit import Visit
from controller.people.model import Actor, Permission
from controller.views.command import CommandPreview, CommandRequest, CommandView
from shared.errors import BesError


class Given(NamedTuple):
    """What a person wrote into a dialog. The controller judges it; the dialog only spares a refusal."""

    reason: str
    typed: str = ""


def order_box(spoken: str) -> ui.dialog:
    """A dialog with its name for those who hear it; Escape closes it, and the focus goes back to where it was."""
    box = ui.dialog()
    box.props["aria-label"] = spoken
    return box


def refusal_text(error: BesError) -> str:
    """What a dialog says of a refusal: its words and the id of its rule."""
    return f"{error.detail} [{getattr(error, 'rule', '') or error.code}]"


def order_sheet() -> ui.element:
    return ui.element("div").classes("bes-dialog").props("data-testid=dialog")


class Confirmation:
    """Reason, typed amount and the button that both of them free. Shared by every dialog that orders something."""

    def __init__(
        self,
        visit: Visit,
        *,
        label: str,
        send: Callable[[Actor, Given], Awaitable[str]],
        permission: Permission = Permission.OPERATE,
    ) -> None:
        self._visit = visit
        self._permission = permission
        self._send = send
        self._wanted = ""
        self.reason = (
            ui.input("Reason", on_change=self._judge).classes("bes-input").props("outlined dense maxlength=300")
        )
        self.reason.props("data-testid=reason")
        self.typed = ui.input("", on_change=self._judge).classes("bes-input").props("outlined dense data-testid=typed")
        self.refusal = ui.label().classes("bes-refusal").props("role=alert data-testid=refusal")
        self.refusal.set_visibility(False)
        with ui.element("div").classes("bes-foot"):
            self.cancel = Button("Cancel", lambda: None, test="cancel")
            self.button = Button(label, self._run, order=True, primary=True, test="send")
        self.require("")

    def require(self, text: str) -> None:
        """What must be typed before the order can be sent; nothing for small ones."""
        self._wanted = text
        self.typed.set_visibility(bool(text))
        self.typed.props["label"] = f"Type {text} to confirm"
        self.typed.update()
        self._judge()

    def name(self, label: str) -> None:
        self.button.set_text(label)

    def refuse(self, error: BesError | None) -> None:
        self.refusal.set_text("" if error is None else refusal_text(error))
        self.refusal.set_visibility(error is not None)

    def _ready(self) -> bool:
        typed = " ".join((self.typed.value or "").split()).lower()
        return len((self.reason.value or "").strip()) >= 3 and (not self._wanted or typed == self._wanted.lower())

    def _judge(self) -> None:
        if hasattr(self, "button"):
            self.button.enable(on=self._ready())

    async def _run(self) -> None:
        if not self._ready():
            return
        try:
            actor = self._visit.actor()
            actor.require(self._permission)
            where = await self._send(actor, Given(self.reason.value.strip(), self.typed.value or ""))
        except BesError as error:
            self.refuse(error)
            return
        self._visit.go(where)


async def open_order(visit: Visit, request: CommandRequest, title: str) -> None:
    """Preview, then a dialog; nothing is sent before its button is pressed."""
    preview = await visit.act(Permission.OPERATE, lambda actor: visit.operations.commands.preview(request, actor))
    if preview is None:
        return

    async def send(actor: Actor, given: Given) -> str:
        order = await issue(visit, request, actor, given)
        dialog.close()
        return site_href(order.site, f"commands/{order.id}")

    with order_box(title) as dialog, order_sheet():
        with ui.element("h2").classes("bes-title"):
            ui.label(title)
        show_preview(Facts(), preview)
        label = "Request confirmation" if preview.second_person else f"Order for {preview.included:,}"
        confirmation = Confirmation(visit, label=label, send=send)
        confirmation.cancel.on("click", dialog.close)
        confirmation.require(preview.confirm)
    dialog.on("hide", dialog.delete)
    dialog.open()


async def issue(visit: Visit, request: CommandRequest, actor: Actor, given: Given) -> CommandView:
    ordered = msgspec.structs.replace(request, reason=given.reason, confirm=given.typed)
    order = await visit.operations.commands.issue(ordered, actor)
    for topic in ("commands", "miner-commands"):
        visit.feed.spoil(topic)
    return order


def show_preview(facts: Facts, preview: CommandPreview) -> None:
    power = preview.power_change_w
    shown = quantity(power, power_unit(abs(power))) if power is not None else MISSING
    lines = [("Checked", check.text, not check.passed) for check in preview.checks]
    lines += [("Not included", f"{item.count:,} {item.reason}", False) for item in preview.excluded]
    if preview.second_person:
        lines.append(("Authority", "a second person must confirm within 10 min", False))
    facts.show(
        [
            ("Devices", number(preview.included), f"of {number(preview.selected)}"),
            ("Power", shown, ""),
            ("Left out", number(preview.selected - preview.included), ""),
            ("Confirmed by", "read-back", ""),
        ],
        lines,
    )
