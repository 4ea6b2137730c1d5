"""Change a policy: who may be paid, how much, how soon. The difference is shown before anybody signs."""

from nicegui import ui

from controller.console.drafting.agreement import approvals, destinations, limits
from controller.console.drafting.document import refusal
from controller.console.drafting.field import section
from controller.console.feed import Content
from controller.console.pages.page import card
from controller.console.pages.treasury.page import TreasuryPage, title
from controller.console.parts.form import FormBox, Judged
from controller.console.parts.panel import Sentences
from controller.console.parts.sheet import Column, Sheet
from controller.console.parts.states import nothing_to_do
from controller.console.topics.treasury.policy import base_of, difference, effect
from controller.console.topics.treasury.words import contract_href
from controller.people.model import Permission
from controller.views.treasury import PolicyView
from shared.errors import BesError

DIFFERENCE = (
    Column("what", "What", lead=True),
    Column("before", "Now", wrap=True),
    Column("after", "Then", wrap=True),
    Column("means", "Means"),
)
_UNCHANGED = "Nothing is changed yet."


async def build(page: TreasuryPage) -> None:
    page.visit.actor().require(Permission.SPEND)
    view, now = await page.desk.contract(page.subject), await page.desk.state()
    before = base_of(view)
    title("Change the policy", view.summary.name, contract_href(page.subject))
    if before is None or view.pending is not None:
        waits = "A policy waits already; finish or withdraw it first." if view.pending else "No policy is in force yet."
        nothing_to_do(waits, ("Back to the contract", contract_href(page.subject)))
        return
    with ui.element("div").classes("bes-cards bes-two bes-drafting"):
        with ui.element("div").classes("bes-stack"):
            _form(page, before, now.height)
        with ui.element("div").classes("bes-stack bes-beside"):
            with card("What changes", f"version {before.policy_version} to {before.policy_version + 1}"):
                Sheet(DIFFERENCE, {"rows": []}, topic="policy-difference", caption="Difference", empty=_UNCHANGED)
            with card("What happens next"):
                Sentences({"lines": [effect(before, before, now.height)]}, topic="policy-said")
                ui.label(
                    f"{before.owners_needed} of {before.owners} owners sign it, each with a key of his own; then every "
                    "box is told. Payments that are proposed under the present policy and not signed when the new one "
                    "counts have to be proposed anew."
                ).classes("bes-text").style("margin-top: 8px")


def _form(page: TreasuryPage, before: PolicyView, height: int | None) -> None:
    async def check(text: str) -> Judged:
        try:
            after = await page.desk.preview_policy(page.subject, text.encode(), page.visit.actor())
        except BesError as error:
            said = refusal(error)
            return Judged(said, shows={"policy-difference": {"rows": []}})
        shows: dict[str, Content] = {
            "policy-difference": {"rows": difference(before, after)},
            "policy-said": {"lines": [effect(before, after, height)]},
        }
        return Judged(None, "Nothing is written down yet.", shows)

    async def send(text: str) -> Content | None:
        try:
            await page.desk.change_policy(page.subject, text.encode(), page.visit.actor())
        except BesError as error:
            return refusal(error)
        page.spoil()
        page.visit.go(contract_href(page.subject))
        return None

    FormBox(
        [
            section("Who may be paid", "boxes pay nobody else", destinations(height, "")),
            section("Limits", "each box holds to them by itself; a fee counts as spending", limits("")),
            section("Approvals", "whoever proposed a payment never counts", [approvals("")]),
        ],
        first=first_of(before),
        keep=f"bes-policy-{page.subject}-{before.policy_version}",
        action="Draft the new policy",
        check=check,
        send=send,
        height=height,
    )


def first_of(before: PolicyView) -> Content:
    """The document that changes nothing."""
    return {
        "allow_list": [
            {"name": one.name, "address": one.address, "added_at_height": one.added_at_height}
            for one in before.allow_list
        ],
        "cooling_blocks": before.cooling_blocks,
        "limits": {name: getattr(before.limits, name) for name in before.limits.__struct_fields__},
        "approvals_needed": before.approvals_needed,
    }
