"""Draft a contract: a form that explains itself, and beside it what the script that it becomes would mean."""

from nicegui import ui

from controller.console.drafting.agreement import sections
from controller.console.drafting.document import contract_document, refusal
from controller.console.drafting.template import kinds
from controller.console.feed import Content
from controller.console.pages.page import card
from controller.console.pages.treasury.page import TreasuryPage, title
from controller.console.parts.form import FormBox, Judged
from controller.console.parts.panel import Sentences
from controller.console.parts.sheet import Column, Sheet
from controller.console.parts.spending_tree import SpendingTree
from controller.console.topics.treasury.draft import path_rows, state, tree
from controller.console.topics.treasury.words import contract_href
from controller.people.model import Permission
from controller.views.treasury import BoxView, TreasuryState
from shared.errors import BesError

_PATHS = (
    Column("name", "Path", lead=True, wrap=True),
    Column("lock", "Lock", wrap=True),
    Column("opens", "Earliest", wrap=True),
    Column("weight", "Input wu", end=True),
    *(Column(f"fee-{rate}", f"{rate} sat/vB", end=True) for rate in (1, 5, 20, 100)),
)
_EMPTY = "Fill in the form; what it becomes stands here."
_NOTHING: Content = {"root": "this contract", "paths": []}


async def build(page: TreasuryPage) -> None:
    page.visit.actor().require(Permission.SPEND)
    now = await page.desk.state()
    title("Draft a contract", "all contracts")
    with ui.element("div").classes("bes-cards bes-two bes-drafting"):
        with ui.element("div").classes("bes-stack"):
            _form(page, now)
        with ui.element("div").classes("bes-stack bes-beside"):
            with card("Who may spend, and when", "read back from the compiled script"):
                Sentences({"lines": [_EMPTY]}, topic="draft-said")
                SpendingTree(_NOTHING, topic="draft-tree")
            with card("What each path costs, and when it opens", "fees in sat, one coin and two outputs"):
                Sheet(_PATHS, {"rows": []}, topic="draft-paths", caption="Paths", empty="No path yet.")
            with card("What happens next"):
                ui.label(
                    "Writing the draft down fixes its text and nothing else. Its page then shows the policy for the "
                    "owners to sign, each with a key of his own; with enough of them every box is told, and each "
                    "answers for itself. No address is given out before all have registered it."
                ).classes("bes-text")


def _form(page: TreasuryPage, now: TreasuryState) -> None:
    async def check(text: str) -> Judged:
        try:
            actor = page.visit.actor()
            draft = await page.desk.preview(contract_document(text, now.boxes), actor)
        except BesError as error:
            return _not_sound(refusal(error))
        shows = {
            "draft-said": {"lines": []},
            "draft-tree": tree(draft),
            "draft-paths": path_rows(draft, now.height, page.now_ms()),
        }
        return Judged(None, state(draft), shows)

    async def send(text: str) -> Content | None:
        try:
            made = await page.desk.draft(contract_document(text, now.boxes), page.visit.actor())
        except BesError as error:
            return refusal(error)
        page.spoil()
        page.visit.go(contract_href(made.summary.contract_id))
        return None

    FormBox(
        sections(now.height),
        kinds=kinds(),
        first=_first(now),
        keep=f"bes-draft-{now.network}",
        action="Write the draft down",
        check=check,
        send=send,
        lists=_lists(now.boxes),
        height=now.height,
    )


def _not_sound(said: Content) -> Judged:
    """Nothing is shown of a contract that cannot be."""
    shows = {"draft-said": {"lines": [f"Not yet: {said['text']}"]}, "draft-tree": _NOTHING, "draft-paths": {"rows": []}}
    return Judged(said, shows=shows)


def _first(now: TreasuryState) -> Content:
    """A line for each box that has offered a key."""
    parties = [
        {"name": box.node, "person": box.node, "key": box.public_keys[0], "role": "signer"}
        for box in now.boxes
        if box.public_keys
    ]
    return {"template": {"type": "treasury-vault"}, "agreement": {"network": now.network, "parties": parties}}


def _lists(boxes: tuple[BoxView, ...]) -> dict[str, list[str]]:
    keys = {f"keys-{box.node}": list(box.public_keys) for box in boxes}
    return {"boxes": [box.node for box in boxes], "keys": [key for box in boxes for key in box.public_keys], **keys}
