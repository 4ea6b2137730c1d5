"""Proofs for outsiders: control of addresses, bounds of energy, and what neither of them shows."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from controller.console.pages.page import card
from controller.console.pages.treasury.claim import claim_form
from controller.console.pages.treasury.control import ControlDialog
from controller.console.pages.treasury.page import TreasuryPage, field, title
from controller.console.parts.button import Button
from controller.console.parts.file_box import FileBox
from controller.console.parts.panel import Sentences
from controller.console.parts.sheet import Column, Sheet
from controller.console.topics.treasury.proofs import PROVEN
from controller.people.model import Actor
from controller.views.treasury import ClaimView

_CONTROLS = (
    Column("message", "Message", lead=True, wrap=True),
    Column("contract", "Contract", wrap=True),
    Column("status", "Stands at"),
    Column("address", "Address"),
    Column("since", "Asked", end=True),
)
_CLAIMS = (
    Column("claim", "Proven", lead=True, wrap=True),
    Column("slots", "Slots", end=True),
    Column("nonce", "Number of the asker", wrap=True),
    Column("expires", "Until"),
    Column("kept", "Kept", wrap=True),
    Column("file", "File", end=True),
)
_METERS = (
    Column("meter", "Meter", lead=True, wrap=True),
    Column("site", "Site"),
    Column("interval", "Slot", end=True),
    Column("first", "From, UTC"),
    Column("last", "To, UTC"),
    Column("slots", "Slots", end=True),
    Column("missing", "Gaps"),
    Column("keys", "Node's key"),
)
_FILE = {
    "text": "The verifier reads it here as it would elsewhere; what it does not take is refused and not kept.",
    "names": ["claim"],
    "ask": "",
    "label": "or paste the claim",
    "action": "Check and keep the claim",
}


async def build(page: TreasuryPage) -> None:
    title("Proofs", "treasury")
    with card("Control of addresses", "BIP-322, signed by the boxes").classes("bes-first"):
        rows = await page.follow("proofs-controls")
        Sheet(_CONTROLS, rows, topic="proofs-controls", caption="Proofs of control", empty="None was asked for yet.")
        if page.spends:
            await _ask(page)
    with card("Energy: what nodes committed to", "hidden from everybody but the owner"):
        rows = await page.follow("proofs-meters")
        empty = "No node commits to energy: set energy_claims in the agents' settings."
        Sheet(_METERS, rows, topic="proofs-meters", caption="Meters", empty=empty)
    with card("Claims about energy", "each checked by the verifier before it was kept"):
        rows = await page.follow("proofs-claims")
        Sheet(_CLAIMS, rows, topic="proofs-claims", caption="Claims", empty="No claim was kept yet.")
    if page.spends:
        with ui.element("div").classes("bes-cards bes-even bes-after"):
            with card("Make a claim", "on the machine that has the owner's key"):
                claim_form(page.desk.proofs().meters)
            with card("Keep a claim", "the file that bes claim prove wrote"):
                FileBox(_FILE, topic="", spends=True, take=_keeping(page))
    with card("What is proven, and what is not"):
        Sentences({"lines": list(PROVEN)}, topic="")


async def _ask(page: TreasuryPage) -> None:
    state = await page.desk.state()
    may = {one.contract_id: one.name for one in state.contracts if one.phase in ("active", "expired")}
    if not may:
        return
    with ui.element("div").classes("bes-bulk").style("margin-top: 10px"):
        chosen = field(ui.select(may, value=next(iter(may)), label="Contract")).style("min-width: 220px")
        Button(
            "Ask for a proof", lambda: ControlDialog(page, chosen.value).open(), primary=True, order=True, test="prove"
        )


def _keeping(page: TreasuryPage) -> Callable[[str, str], Awaitable[bool]]:
    async def take(_name: str, text: str) -> bool:
        async def work(actor: Actor) -> ClaimView:
            return await page.desk.keep_claim(text.encode(), actor)

        return await page.act(work) is not None

    return take
