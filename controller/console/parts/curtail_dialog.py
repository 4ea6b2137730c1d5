"""Curtail: how much, what it would do now, what it leaves out, reason, typed amount."""

from functools import partial

from nicegui import ui

from controller.console.format import PETAHASH, amount, duration, number, power_unit
from controller.console.parts.button import Button
from controller.console.parts.command_dialog import Confirmation, Given, order_box, order_sheet
from controller.console.parts.panel import Facts
from controller.console.topics.words import site_href
from controller.console.visit import Visit
from controller.people.model import Actor, Permission
from controller.views.curtailment import CurtailmentPreview, CurtailmentRequest, CurtailmentStart
from controller.views.site import SiteView
from shared.errors import BesError, Malformed

SHARES = (10, 25, 50, 100)


def open_restore(visit: Visit, curtailment_id: str) -> None:
    """Ending a curtailment wakes many machines at once, so it wants a reason too."""

    async def send(actor: Actor, given: Given) -> str:
        view = await visit.operations.curtailments.end(curtailment_id, given.reason, actor)
        for topic in ("curtailment", "curtailments"):
            visit.feed.spoil(topic)
        dialog.close()
        return site_href(view.site, "energy")

    with order_box("End the curtailment") as dialog, order_sheet():
        with ui.element("h2").classes("bes-title"):
            ui.label("End the curtailment and restore")
        ui.label("Its miners are woken in the stagger that the feeders allow.").classes("bes-text")
        confirmation = Confirmation(visit, label="End and restore", send=send)
        confirmation.cancel.on("click", dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()


class CurtailDialog:
    """Opened with a first proposal of a tenth of the load; every change previews again."""

    def __init__(self, visit: Visit, site: SiteView) -> None:
        self._visit = visit
        self._site, self._name = site.id, site.name
        self._load_w = visit.operations.energy.state(site.id).power_w.value or 0.0
        self._unit = power_unit(self._load_w)
        self._preview: CurtailmentPreview | None = None

    async def open(self) -> None:
        with order_box(f"Curtail {self._name}") as self._dialog, order_sheet():
            with ui.element("h2").classes("bes-title"):
                ui.label(f"Curtail {self._name}")
            with ui.element("div").classes("bes-bulk"):
                self._wanted = ui.input(f"Reduce by {self._unit.symbol}").classes("bes-input").props("outlined dense")
                self._wanted.props("data-testid=reduction inputmode=decimal").style("width: 150px")
                for share in SHARES:
                    Button(
                        f"{share} %" if share < 100 else "Everything",
                        partial(self._set_share, share),
                        test=f"share-{share}",
                    )
                Button("Preview", self._renew, test="preview")
            self._facts = Facts()
            self._valid = ui.label().classes("bes-hint")
            self._confirmation = Confirmation(self._visit, label="Curtail", send=self._send)
            self._confirmation.cancel.on("click", self._dialog.close)
        self._wanted.on("keydown.enter", self._renew)
        self._dialog.on("hide", self._dialog.delete)
        await self._set_share(SHARES[0])
        self._dialog.open()

    async def _set_share(self, share: int) -> None:
        self._wanted.set_value(amount(self._load_w * share / 100.0, self._unit).replace(",", ""))
        await self._renew(everything=share == 100)

    async def _renew(self, *, everything: bool = False) -> None:
        self._confirmation.refuse(None)
        try:
            self._visit.actor().require(Permission.OPERATE)
            reduction_w = None if everything else self._reduction_w()
            request = CurtailmentRequest(site=self._site, reduction_w=reduction_w)
            self._preview = await self._visit.operations.curtailments.preview(request)
        except BesError as error:
            self._preview = None
            self._confirmation.refuse(error)
            return
        self._show(self._preview)

    def _reduction_w(self) -> float:
        try:
            value = float((self._wanted.value or "").replace(",", ""))
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise Malformed(f"write how many {self._unit.symbol} to shed, such as 0.5")
        return value * self._unit.factor

    def _show(self, preview: CurtailmentPreview) -> None:
        unit = self._unit
        lines = [("How", preview.method, False), ("Expected", f"lands in {duration(preview.expected_s)}", False)]
        lines += [("Checked", check.text, not check.passed) for check in preview.checks]
        lines += [("Not included", f"{item.count:,} {item.reason}", False) for item in preview.excluded if item.count]
        if preview.second_person:
            lines.append(("Authority", "a second person must confirm within 10 min", False))
        reduction = f"−{amount(preview.reduction_w, unit)}"
        self._facts.show(
            [
                ("Miners", number(preview.miners), f"of {number(preview.of_miners)}"),
                ("Power", reduction, f"{unit.symbol} ± {amount(preview.uncertainty_w, unit)}"),
                ("Hash rate", f"−{amount(preview.hashrate_ths, PETAHASH)}", PETAHASH.symbol),
                ("Costs", f"≈ {number(preview.cost_usd_h, 2)}", "USD/h"),
            ],
            lines,
        )
        self._valid.set_text(
            f"Target {amount(preview.target_w, unit)} {unit.symbol} by meter. Valid for 60 s, then preview again."
        )
        self._confirmation.require(preview.confirm)
        self._confirmation.name("Request confirmation" if preview.second_person else "Curtail")

    async def _send(self, actor: Actor, given: Given) -> str:
        if self._preview is None:
            raise Malformed("preview first")
        start = CurtailmentStart(reason=given.reason, confirm=given.typed)
        await self._visit.operations.curtailments.start(self._preview.id, start, actor)
        self._visit.feed.spoil("curtailment")
        self._dialog.close()
        return site_href(self._site, "energy")
