"""Is the money safe, does anything wait for a person? Then payments, contracts and boxes."""

import asyncio
from collections.abc import Callable, Mapping

from controller.console.feed import Content, Topic
from controller.console.format import MISSING, age, btc, duration, money, number, plural
from controller.console.topics.treasury.patience import OLD_S, PatientDesk
from controller.console.topics.treasury.words import (
    FOR_PEOPLE,
    about,
    blocks,
    box_href,
    contract_href,
    may_approve,
    missing,
    paid_sat,
    paid_to,
    payment_href,
    proposer,
    short,
    status_tag,
    tag,
)
from controller.views.treasury import BoxView, ContractSummary, ContractView, ProposalView, TreasuryState

SILENT_S = 180.0
Contracts = Mapping[str, ContractView]
Build = Callable[[TreasuryState, Contracts], Content]


def topics(desk: PatientDesk) -> tuple[Topic, ...]:
    def topic(name: str, build: Build) -> Topic:
        async def content(_site: str, _subject: str) -> Content:
            state = await desk.state()
            return build(state, await _contracts(desk, state))

        return Topic(name, 1.0, content)

    now_ms = desk.clock.now_ms
    return (
        topic("treasury", lambda state, contracts: head(state, needs(state, contracts, now_ms(), desk.age_s))),
        topic("treasury-needs", lambda state, contracts: {"rows": needs(state, contracts, now_ms(), desk.age_s)}),
        topic(
            "treasury-payments",
            lambda state, contracts: {
                "rows": [payment_row(one, contracts, state.height, now_ms()) for one in state.proposals]
            },
        ),
        topic("treasury-contracts", lambda state, _contracts: {"rows": list(map(contract_row, state.contracts))}),
        topic("treasury-boxes", lambda state, _contracts: {"rows": [box_row(box, now_ms()) for box in state.boxes]}),
        topic("treasury-limits", lambda state, _contracts: {"rows": limit_rows(state)}),
    )


async def _contracts(desk: PatientDesk, state: TreasuryState) -> Contracts:
    """Those that can be read now."""
    open_ids = [one.contract_id for one in state.contracts if one.phase != "closed"]
    found = await asyncio.gather(*map(desk.known_contract, open_ids))
    return {view.summary.contract_id: view for view in found if view is not None}


def head(state: TreasuryState, needed: list[Content]) -> Content:
    """In the form of a miner's head."""
    known = [one.balance_sat for one in state.contracts if one.balance_sat is not None]
    unread = len(state.contracts) - len(known)
    total = sum(known) if known or not state.contracts else None
    signing = sum(not box.stopped and not box.clock_stale and box.heard_at_ms is not None for box in state.boxes)
    waiting = sum(one.status in FOR_PEOPLE for one in state.proposals)
    figures = [
        ("In contracts", btc(total).removesuffix("\u00a0BTC"), "BTC" if total is not None else "", unread > 0),
        ("Node at block", number(state.height) if state.height is not None else "unknown", state.network, False),
        ("Boxes that sign", f"{signing} of {len(state.boxes)}", "", signing < len(state.boxes)),
        ("Wait for people", number(waiting), "", False),
        ("On their way", number(len(state.proposals) - waiting), "", False),
    ]
    without = f" · without {plural(unread, 'contract')} whose coins cannot be read" if unread else ""
    return {
        "sentence": _sentence(needed),
        "why": f"Nothing leaves a contract without approvals and boxes that agree{without}.",
        "figures": [
            {"label": label, "value": value, "unit": unit, "suspect": suspect}
            for label, value, unit, suspect in figures
        ],
        "read": "The node: " + (state.trouble or "answers"),
        "stale": bool(state.trouble),
    }


def _sentence(needed: list[Content]) -> str:
    if not needed:
        return "All boxes sign, the node answers, and nothing waits for you."
    return f"{plural(len(needed), 'thing')} {'needs' if len(needed) == 1 else 'need'} a person."


def needs(state: TreasuryState, contracts: Contracts, now_ms: int, age_s: float) -> list[Content]:
    """What a person has to do, the most urgent first."""
    rows = [*_troubles(state, age_s), *(row for box in state.boxes if (row := _box_need(box, now_ms)))]
    rows += [row for box in state.boxes for row in _unfit_needs(box, state)]
    rows += [row for view in contracts.values() for row in _contract_needs(view)]
    rows += [row for one in state.proposals if (row := _payment_need(one, contracts, now_ms))]
    return sorted(rows, key=lambda row: int(row["cells"][0]["mark"]))


def _need(id_: str, mark: int, text: str, action: str, *, href: str = "", since: str = "") -> Content:
    said: Content = {"text": text, "href": href} if href else {"text": text}
    return {"id": id_, "cells": [{"mark": mark, "text": ""}, said, action, {"text": since, "dim": True}]}


def _troubles(state: TreasuryState, age_s: float) -> list[Content]:
    rows = []
    if state.trouble:
        text = f"The Bitcoin node cannot be asked: {state.trouble}"
        rows.append(_need("node", 2, text, "Start the node or mend the line; boxes lose their clock without it."))
    if age_s > OLD_S:
        text = f"The treasury has not answered for {duration(age_s)}; what stands here is as old"
        rows.append(_need("age", 2, text, "Look whether the node hangs."))
    return rows


def _box_need(box: BoxView, now_ms: int) -> Content | None:
    state, mend = box_state(box, now_ms)
    if not mend:
        return None
    text = f"Box {box.node} at {box.site}: {state}"
    return _need(f"box-{box.box_id}", 1 if box.stopped else 2, text, mend, href=box_href(box.box_id))


def _unfit_needs(box: BoxView, state: TreasuryState) -> list[Content]:
    """Contracts that a box does not sign for since its release checks more."""
    names = {one.contract_id: one.name for one in state.contracts}
    mend = "Move its coins by keys outside of the box, or by the release before, into a contract that passes."
    rows = []
    for unfit in box.unfit:
        name = names.get(unfit.contract_id, short(unfit.contract_id))
        text = f"Box {box.node} at {box.site} does not sign for {name}: {unfit.detail}"
        rows.append(_need(f"unfit-{box.box_id}-{unfit.contract_id}", 2, text, mend, href=box_href(box.box_id)))
    return rows


def _contract_needs(view: ContractView) -> list[Content]:
    """Coins whose recovery opens soon, a policy that waits for owners, boxes that refused it."""
    one, rows = view.summary, []
    href = contract_href(one.contract_id)
    for path in view.paths:
        states = [opening.state for coin in view.coins or () for opening in coin.openings if opening.path == path.name]
        for state, mark, words in (("open", 2, "can be spent"), ("due", 3, "can soon be spent")):
            if count := states.count(state):
                text = f"{plural(count, 'coin')} of {one.name} {words} by the path “{path.name}”"
                rows.append(_need(f"{state}-{one.contract_id}-{path.name}", mark, text, "Refresh them.", href=href))
    if view.pending is not None and view.pending.refused:
        text = f"Policy {view.pending.policy_version} of {one.name} was refused by {', '.join(view.pending.refused)}"
        rows.append(_need(f"policy-{one.contract_id}", 2, text, "Read the rule on its page.", href=href))
    elif view.pending is not None and view.pending.signed < view.pending.needed:
        left = plural(view.pending.needed - view.pending.signed, "owner")
        text = f"Policy {view.pending.policy_version} of {one.name} waits for {left}"
        rows.append(_need(f"policy-{one.contract_id}", 3, text, "Sign it.", href=href))
    return rows


def _payment_need(proposal: ProposalView, contracts: Contracts, now_ms: int) -> Content | None:
    href = payment_href(proposal.proposal_id)
    since = f"{age(proposal.proposed_at_ms, now_ms)} ago"
    what = f"{about(proposal)} from {proposal.contract}"
    if proposal.status == "reorganised":
        return _need(proposal.proposal_id, 2, f"{what}: its block left the chain", "Watch it.", href=href, since=since)
    if proposal.status == "lapsed" or (proposal.status == "finalised" and proposal.detail):
        return _need(proposal.proposal_id, 2, f"{what}: {proposal.detail}", "Raise its fee.", href=href, since=since)
    if proposal.status not in FOR_PEOPLE:
        return None
    return _need(proposal.proposal_id, 3, what, _who(proposal, contracts), href=href, since=since)


def _who(proposal: ProposalView, contracts: Contracts) -> str:
    """Who has to sign next: its proposer, then those who approve."""
    if proposal.status == "proposed":
        return f"Propose it with a key: {proposer(proposal)}"
    view, left = contracts.get(proposal.contract_id), missing(proposal)
    persons = None if view is None else may_approve(view, proposal)
    if left is None or persons is None:
        return "Approvals: not known who"
    if len(persons) <= left:
        return f"Approve: {' and '.join(persons) or 'nobody is left who may'}"
    return f"Approve: {left} of {', '.join(persons)}"


def _for(proposal: ProposalView) -> str:
    return "Proof of control" if proposal.message is not None else f"To {paid_to(proposal.payments)}"


def payment_row(proposal: ProposalView, contracts: Contracts, height: int | None, now_ms: int) -> Content:
    needed = MISSING if proposal.approvals_needed is None else number(proposal.approvals_needed)
    left = None if height is None else max(0, proposal.expiry_height - height)
    return {
        "id": proposal.proposal_id,
        "cells": [
            {"text": _for(proposal), "href": payment_href(proposal.proposal_id)},
            "" if proposal.message is not None else money(paid_sat(proposal)),
            {"text": proposal.contract, "href": contract_href(proposal.contract_id)},
            status_tag(proposal),
            f"{len(proposal.approved_by)} of {needed}",
            _who(proposal, contracts) if proposal.status in FOR_PEOPLE else "",
            {"text": f"{age(proposal.proposed_at_ms, now_ms)} ago", "title": proposal.reason, "dim": True},
            {"text": f"block {number(proposal.expiry_height)}" + ("" if left is None else f", {blocks(left)}")},
        ],
    }


def contract_row(one: ContractSummary) -> Content:
    policy = "none in force" if one.policy_version is None else f"version {one.policy_version}"
    return {
        "id": one.contract_id,
        "quiet": one.phase == "closed",
        "cells": [
            {"text": one.name, "href": contract_href(one.contract_id)},
            one.template,
            tag(one.phase, 3 if one.phase == "expired" else 0),
            money(one.balance_sat),
            number(one.open_proposals),
            policy,
        ],
    }


def box_state(box: BoxView, now_ms: int) -> tuple[str, str]:
    """In a word or two, and what mends it; the latter is empty where the box signs."""
    if box.stopped:
        return f"stopped: {box.stopped}", "Find out why before anything else; it signs nothing."
    if box.heard_at_ms is None:
        return "never heard", f"Look after its node {box.node} at {box.site}."
    if now_ms - box.heard_at_ms > SILENT_S * 1000:
        return f"silent for {age(box.heard_at_ms, now_ms)}", f"Look after its node {box.node} at {box.site}."
    if box.clock_stale:
        return f"clock stale: {box.clock_stale}", "It signs again when it has fresh headers."
    return "signs", ""


def box_row(box: BoxView, now_ms: int) -> Content:
    state, mend = box_state(box, now_ms)
    return {
        "id": box.box_id,
        "cells": [
            {"text": box.node, "href": box_href(box.box_id), "title": box.box_id},
            tag(state, 1 if box.stopped else 2 if mend else 0),
            "never" if box.heard_at_ms is None else f"{age(box.heard_at_ms, now_ms)} ago",
            box.site,
            "unknown" if box.height is None else number(box.height),
            "unknown" if box.ledger_seq is None else number(box.ledger_seq),
            {"text": short(box.ledger_head or "unknown"), "title": box.ledger_head or "", "mono": True},
        ],
    }


def limit_rows(state: TreasuryState) -> list[Content]:
    """What each box would still sign, as the box itself counts it."""
    names = {one.contract_id: one.name for one in state.contracts}
    return [
        {
            "id": f"{box.box_id}-{left.contract_id}",
            "cells": [
                {"text": names.get(left.contract_id, short(left.contract_id)), "href": contract_href(left.contract_id)},
                {"text": box.node, "href": box_href(box.box_id)},
                money(left.window_left_sat),
                money(left.lifetime_left_sat),
                f"version {left.policy_version}",
            ],
        }
        for box in state.boxes
        for left in box.allowances
    ]
