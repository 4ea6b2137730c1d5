"""One contract: what it means in sentences, who may spend when, its coins, its policy, its boxes."""

from nicegui import ui

from controller.console.pages.page import card
from controller.console.pages.treasury.overview import PAYMENTS
from controller.console.pages.treasury.page import TreasuryPage, sealed_bytes, title
from controller.console.pages.treasury.policy import DIFFERENCE
from controller.console.pages.treasury.propose import ProposeDialog
from controller.console.pages.treasury.receive import RECEIVING, open_receive
from controller.console.pages.treasury.refresh import RefreshDialog
from controller.console.parts.button import Button
from controller.console.parts.command_dialog import Confirmation, Given, order_box, order_sheet
from controller.console.parts.copy_text import CopyText
from controller.console.parts.panel import Facts, Head, Sentences
from controller.console.parts.seal import SealBox
from controller.console.parts.sheet import Column, Sheet
from controller.console.parts.spending_tree import SpendingTree
from controller.console.topics.treasury.contract import (
    approver_rows,
    destination_rows,
    fee_rates,
    limit_facts,
    locked_paths,
    path_rows,
    withdrawable,
)
from controller.console.topics.treasury.policy import base_of
from controller.console.topics.treasury.words import FORWARD, contract_href, forward_href, policy_href
from controller.people.model import Actor, Permission
from controller.views.treasury import ContractView, PolicyView

_PATHS = (
    Column("name", "Path", lead=True),
    Column("role", "Role"),
    Column("keys", "Keys", wrap=True),
    Column("lock", "Lock", wrap=True),
    Column("weight", "Input wu", end=True),
    Column("size", "Payment vB", end=True),
)
_COIN = (Column("coin", "Coin", lead=True), Column("amount", "Amount", wrap=True), Column("block", "Block", end=True))
_BOXES = (
    Column("box", "Box", lead=True),
    Column("in-force", "In force"),
    Column("waiting", "Next policy"),
    Column("answer", "Its answer", wrap=True),
)
_DESTINATIONS = (
    Column("name", "Destination", lead=True),
    Column("address", "Address", wrap=True),
    Column("since", "On the list", end=True),
)
_APPROVERS = (Column("person", "Person", lead=True), Column("key", "Key"), Column("role", "Role"))


async def build(page: TreasuryPage) -> None:
    view = await page.desk.contract(page.subject)
    title(view.summary.name, "all contracts")
    with card().classes("bes-first"):
        Head(await page.follow("contract"), topic="contract")
        if view.summary.template == FORWARD and page.forwards is not None:
            with ui.element("a").classes("bes-link").props(f"href={forward_href(page.subject)} data-testid=forward"):
                ui.label("Its hash-rate forward: offer, documents, settlement")
        if page.spends:
            _acts(page, view)
    await _meaning(page, view)
    with card("Payments", "newest first").classes("bes-first"):
        rows = await page.follow("contract-payments")
        Sheet(PAYMENTS, rows, topic="contract-payments", caption="Payments", empty="Nothing was proposed yet.")
    await _coins(page, view)
    with ui.element("div").classes("bes-cards bes-even bes-after"):
        with card("Policy", "what the owners allow; each box holds to it by itself"):
            _policy(view.policy)
        with ui.element("div").classes("bes-stack"):
            await _boxes(page, view)
    with card("Descriptor", "enough to find every coin without BES; keep a copy elsewhere"):
        CopyText(view.descriptor, test="descriptor")


def _acts(page: TreasuryPage, view: ContractView) -> None:
    """What can be done with it now."""
    with ui.element("div").classes("bes-bulk").style("margin-top: 10px"):
        if view.policy is not None:
            Button("Propose a payment", ProposeDialog(page, view).open, primary=True, order=True, test="propose")
        if view.summary.phase in RECEIVING:
            Button("Receive", lambda: open_receive(page, view.summary.name), order=True, test="receive")
        if base_of(view) is not None and view.pending is None:
            with ui.element("a").classes("bes-button").props(f"href={policy_href(page.subject)} data-testid=change"):
                ui.label("Change the policy")
        if view.policy is not None and locked_paths(view):
            Button("Refresh coins", RefreshDialog(page, view).open, order=True, test="refresh")


async def _meaning(page: TreasuryPage, view: ContractView) -> None:
    with card("Who may spend, and when", "read from the compiled descriptor"):
        SpendingTree(await page.follow("contract-tree"), topic="contract-tree")
    rates = fee_rates(view)
    columns = (*_PATHS, *(Column(f"fee-{rate}", f"{rate} sat/vB", end=True) for rate in rates))
    with card("What each path costs", "fee in sat for one input and two outputs at their largest"):
        Sheet(columns, path_rows(view), topic="", caption="Paths", empty="No path.")


async def _coins(page: TreasuryPage, view: ContractView) -> None:
    rows = await page.follow("contract-coins")
    locked = locked_paths(view)
    columns = (*_COIN, *(Column(f"path-{name}", f"“{name}”") for name in locked))
    hint = "when each lock opens: refresh a coin before it does" if locked else ""
    empty = "The node cannot be asked for its coins." if view.coins is None else "It holds no coin."
    with card("Coins", hint):
        Sheet(columns, rows, topic="contract-coins", caption="Coins", empty=empty)


def _policy(policy: PolicyView | None) -> None:
    if policy is None:
        ui.label("No policy is in force: no box signs for this contract yet.").classes("bes-text")
        return
    Facts().show(limit_facts(policy), [])
    wait = f"A destination may be paid {policy.cooling_blocks:,} blocks after a box learnt of it."
    ui.label(wait).classes("bes-hint").style("margin: 8px 0")
    empty = "Nobody may be paid: the list is empty."
    Sheet(_DESTINATIONS, destination_rows(policy), topic="", caption="Who may be paid", empty=empty)
    ui.element("div").style("height: 12px")
    Sheet(_APPROVERS, approver_rows(policy), topic="", caption="Approvers", empty="Nobody approves.")


async def _tell(page: TreasuryPage) -> None:
    await page.act(lambda actor: page.desk.tell_boxes(page.subject, actor))


async def _boxes(page: TreasuryPage, view: ContractView) -> None:
    with card("Boxes", "who has registered what"):
        rows = await page.follow("contract-boxes")
        sheet = Sheet(_BOXES, rows, topic="contract-boxes", caption="Boxes", empty="No box holds a key of it.")
        sheet.on_act(lambda _box, _act: _tell(page), operates=page.spends)
    with card("Sign the policy", "for owners"):
        Sentences(await page.follow("contract-policy-said"), topic="contract-policy-said")
        changes = await page.follow("contract-policy-changes")
        if changes["rows"]:
            Sheet(
                DIFFERENCE, changes, topic="contract-policy-changes", caption="What changes", empty="Nothing changes."
            )
        first = await page.follow("contract-policy-to-sign")

        async def approve(text: str, actor: Actor) -> ContractView:
            return await page.desk.approve_policy(page.subject, sealed_bytes(text), actor)

        SealBox(first, topic="contract-policy-to-sign", spends=page.spends, take=page.taking(approve))
        if page.spends and withdrawable(view):
            with ui.element("div").style("margin-top: 10px"):
                Button("Withdraw this policy", lambda: _open_withdraw(page), order=True, test="withdraw")


def _open_withdraw(page: TreasuryPage) -> None:
    async def send(actor: Actor, given: Given) -> str:
        await page.desk.withdraw_policy(page.subject, given.reason, actor)
        page.spoil()
        dialog.close()
        return contract_href(page.subject)

    with order_box("Withdraw the policy") as dialog, order_sheet():
        with ui.element("h2").classes("bes-title"):
            ui.label("Withdraw the policy")
        ui.label("Too few owners have signed it, so no box can have it. The present policy goes on.").classes(
            "bes-text"
        )
        confirmation = Confirmation(page.visit, label="Withdraw", send=send, permission=Permission.SPEND)
        confirmation.cancel.on("click", dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()
