"""One payment: what leaves, how far it has come, who approved, what each box said."""

import base64

import msgspec

from controller.console.feed import Content, Topic
from controller.console.format import MISSING, age, btc, money, number, plural
from controller.console.topics.treasury.patience import PatientDesk
from controller.console.topics.treasury.words import (
    ENDED,
    FILES,
    STATUS,
    UNCONFIRMED,
    UNSIGNED,
    about,
    blocks,
    grouped,
    missing,
    paid_sat,
    payment_href,
    proposer,
    role_of,
    tag,
)
from controller.views.treasury import AskedBoxView, ContractView, ProposalView
from shared.person import folded

STEPS = ("proposed", "sealed", "approved", "signing", "broadcast", "confirmed", "buried")
_REACHED = {
    "proposed": 0,
    "sealed": 1,
    "approved": 2,
    "cleared": 2,
    "signing": 3,
    "lapsed": 3,
    "finalised": 3,
    "broadcast": 4,
    "reorganised": 4,
    "confirmed": 5,
    "buried": 6,
    "proven": 4,
}
_PROOF_STEPS = (*STEPS[:4], "proven")
_BOX_TONES = {"waiting": 0, "sent": 0, "answered": 0}


def topics(desk: PatientDesk) -> tuple[Topic, ...]:
    async def payment(_site: str, proposal_id: str) -> Content:
        proposal, state = desk.proposal(proposal_id), await desk.state()
        return head(proposal, state.height, desk.clock.now_ms())

    async def approvals(_site: str, proposal_id: str) -> Content:
        proposal = desk.proposal(proposal_id)
        return {"rows": approval_rows(proposal, await desk.known_contract(proposal.contract_id))}

    async def boxes(_site: str, proposal_id: str) -> Content:
        return {"rows": list(map(_box_row, desk.proposal(proposal_id).boxes))}

    async def files(_site: str, proposal_id: str) -> Content:
        proposal = desk.proposal(proposal_id)
        return to_import(proposal, await desk.known_contract(proposal.contract_id))

    async def control(_site: str, proposal_id: str) -> Content:
        return {"text": control_file(desk.proposal(proposal_id))}

    async def signing(_site: str, proposal_id: str) -> Content:
        return to_sign(desk.proposal(proposal_id))

    return (
        Topic("payment", 1.0, payment),
        Topic("payment-approvals", 1.0, approvals),
        Topic("payment-boxes", 1.0, boxes),
        Topic("payment-to-sign", 1.0, signing),
        Topic("payment-files", 1.0, files),
        Topic("payment-control", 1.0, control),
    )


def head(proposal: ProposalView, height: int | None, now_ms: int) -> Content:
    left = None if height is None else proposal.expiry_height - height
    expires = "" if left is None or proposal.status in ENDED else f"in {blocks(left)}" if left > 0 else "passed"
    figures = (
        []
        if proposal.message is not None
        else [
            ("Leaves the contract", number(paid_sat(proposal)), "sat", btc(paid_sat(proposal))),
            ("Fee", number(proposal.fee_sat), "sat", _rate(proposal)),
            ("Change", number(proposal.change_sat), "sat", btc(proposal.change_sat)),
            ("Weight", number(proposal.weight_wu), "wu", ""),
        ]
    )
    figures.append(("Void from block", number(proposal.expiry_height), "", expires))
    return {
        "sentence": f"{about(proposal)}: {STATUS.get(proposal.status, proposal.status)}{_left(proposal)}",
        "why": f"{proposal.reason} · {_by(proposal)} {age(proposal.proposed_at_ms, now_ms)} ago",
        "figures": [
            {"label": label, "value": value, "unit": unit, "also": also} for label, value, unit, also in figures
        ],
        "steps": steps(proposal),
        "ended": {"rule": proposal.rule, "detail": proposal.detail} if proposal.rule or proposal.detail else None,
        "acts": acts(proposal),
        "others": others(proposal),
    }


def acts(proposal: ProposalView) -> list[Content]:
    """What a person may do about it now."""
    if proposal.status in UNSIGNED:
        return [{"name": "cancel", "label": "Take back"}]
    if proposal.status in UNCONFIRMED:
        return [{"name": "raise", "label": "Raise the fee"}]
    if proposal.status == "signing" and any(box.state in ("waiting", "sent") for box in proposal.boxes):
        return [{"name": "ask", "label": "Ask the boxes again"}]
    return []


def others(proposal: ProposalView) -> list[Content]:
    """Payments that this one has to do with."""
    known = (
        ("Raises the fee of an earlier version", proposal.replaces),
        ("Pays for a stuck payment", proposal.helps),
        ("Replaced by", proposal.replaced_by),
    )
    return [{"label": label, "text": other, "href": payment_href(other)} for label, other in known if other]


def _by(proposal: ProposalView) -> str:
    """The person who signed that he proposes it, and the account that asked for it where that has another name."""
    if not proposal.proposed_by:
        return f"asked for by {proposal.asked_by}, proposed by nobody yet;"
    if folded(proposal.proposed_by) == folded(proposal.asked_by):
        return f"proposed by {proposal.proposed_by}"
    return f"proposed by {proposal.proposed_by}, asked for by {proposal.asked_by}"


def _rate(proposal: ProposalView) -> str:
    """The fee over the largest possible size, so at least this much a vbyte."""
    if not proposal.weight_wu:
        return ""
    return f"≈ {number(4 * proposal.fee_sat / proposal.weight_wu, 1)}\u00a0sat/vB"


def _left(proposal: ProposalView) -> str:
    left = missing(proposal)
    if proposal.status != "sealed" or left is None:
        return ""
    return f"; {plural(left, 'approval')} of {proposal.approvals_needed} still needed"


def steps(proposal: ProposalView) -> list[Content]:
    """Each is done, now, failed or still to come; what a payment that ended badly had reached is told by its traces."""
    good = proposal.status in ("buried", "proven")
    bad = proposal.status in ENDED and not good
    reached = _REACHED.get(proposal.status, _traces(proposal))
    shown: list[Content] = []
    for at, name in enumerate(STEPS if proposal.message is None else _PROOF_STEPS):
        state = "done" if at < reached or (at == reached and (bad or good)) else "open"
        if at == reached and state == "open":
            state = "now"
        shown.append({"name": name, "state": state, "hint": _hint(name, proposal)})
    if bad:
        failed: Content = {"name": proposal.status, "state": "failed", "hint": proposal.rule}
        shown = [*shown[: reached + 1], failed, *shown[reached + 1 :]]
    elif proposal.status == "reorganised":
        shown[reached] |= {"state": "failed", "hint": "its block left the chain"}
    return shown


def _traces(proposal: ProposalView) -> int:
    if proposal.block_height is not None:
        return 5
    if proposal.boxes:
        return 3
    if missing(proposal) == 0:
        return 2
    return 1 if proposal.proposed_by else 0


def _hint(step: str, proposal: ProposalView) -> str:
    if step == "sealed":
        return proposal.proposed_by
    if step == "approved":
        needed = MISSING if proposal.approvals_needed is None else number(proposal.approvals_needed)
        return f"{len(proposal.approved_by)} of {needed}"
    if step == "signing" and proposal.boxes:
        answered = sum(box.state == "answered" for box in proposal.boxes)
        return f"{answered} of {number(len(proposal.boxes))} answered"
    if step == "confirmed" and proposal.block_height is not None:
        return f"block {number(proposal.block_height)}"
    return ""


def payment_rows(proposal: ProposalView) -> Content:
    rows = [
        {
            "id": str(index),
            "cells": [one.name or "no name", money(one.amount_sat), {"text": grouped(one.address), "mono": True}],
        }
        for index, one in enumerate(proposal.payments)
    ]
    return {"rows": rows}


def approval_rows(proposal: ProposalView, view: ContractView | None) -> list[Content]:
    """Every person of the role that counts, and those who said yes."""
    given = {folded(person): person for person in proposal.approved_by}
    keys: dict[str, list[str]] = {person: [] for person in given.values()}
    if view is not None and view.policy is not None:
        role = role_of(view, proposal)
        for one in view.policy.approvers:
            if one.role == role and (role != "recovery" or one.person in view.policy.recovery_role_people):
                keys.setdefault(given.get(folded(one.person), one.person), []).append(one.name)
    return [
        {"id": person, "cells": [person, _approval(person, proposal, given), ", ".join(names) or MISSING]}
        for person, names in keys.items()
    ]


def _approval(person: str, proposal: ProposalView, given: dict[str, str]) -> Content:
    if folded(person) in given:
        return tag("approved")
    if folded(person) == folded(proposal.proposed_by):
        return {"text": "proposed it, cannot approve it", "dim": True}
    if proposal.status == "proposed":
        return {"text": "asked once its proposer has signed", "dim": True}
    if proposal.status != "sealed":
        return {"text": "not asked any more", "dim": True}
    return tag("may approve", 3)


def _box_row(box: AskedBoxView) -> Content:
    if box.state in _BOX_TONES:
        return {"id": f"{box.party}-{box.node}", "cells": [box.party, box.node, tag(box.state), ""]}
    return {
        "id": f"{box.party}-{box.node}",
        "cells": [box.party, box.node, tag(f"refused: {box.state}", 2), box.detail],
    }


def to_sign(proposal: ProposalView) -> Content:
    """What the proposer, and after him each approver, signs with a key of his own: one text for each person who may."""
    if proposal.to_seal:
        people = [{"name": name, "to_sign": base64.b64encode(raw).decode()} for name, raw in proposal.to_seal.items()]
        text = f"Waits for its proposer: {proposer(proposal)}. Nobody can approve it before; who proposes it cannot."
        return {"to_sign": people[0]["to_sign"], "text": text, "people": people}
    if proposal.to_sign is None:
        return {"to_sign": "", "text": "No signature of a person is awaited."}
    text = f"{len(proposal.approved_by)} of {proposal.approvals_needed} approvals are given."
    return {"to_sign": base64.b64encode(proposal.to_sign).decode(), "text": text}


def to_import(proposal: ProposalView, view: ContractView | None) -> Content:
    """Signatures that come by file: of a key without a box, or whose box has no link."""
    path = None if view is None else next((one for one in view.paths if one.name == proposal.path), None)
    answered = {box.party for box in proposal.boxes if box.state == "answered"}
    names = [] if path is None else [key for key in path.keys if key not in answered]
    if proposal.status not in FILES:
        names = []
        text = "Signed files are taken once it is approved and clear, until it is signed whole."
    elif path is None:
        text = "Whose signatures are missing is not known: the contract cannot be read now."
    else:
        text = "Every signature is checked by itself, as a box's is; a wrong one is refused and changes nothing."
    return {
        "text": text,
        "names": names,
        "ask": "Signed with the key of",
        "label": "or paste the signed PSBT, in base64",
        "action": "Hand in the signed file",
    }


def control_file(proposal: ProposalView) -> str:
    """What goes to whoever asked: the proof, how to check it, and what it does not say. Empty before there is one."""
    control = proposal.control
    if control is None:
        return ""
    told = msgspec.to_builtins(control) | {
        "check": "verify signature, message and address with any reader of BIP-322, version 2",
        "proven": "whoever can spend from the address signed the message, at the time of the block named here",
        "not_proven": "whose the coins are, how much is there, that it is all there is, and that it is still so",
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=1).decode()
