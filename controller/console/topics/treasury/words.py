"""Words that the treasury's pages share: addresses of pages, states of a payment, blocks as time."""

from urllib.parse import quote

from controller.console.feed import Content
from controller.console.format import NBSP, plural, sat
from controller.console.topics.words import CONSOLE
from controller.views.treasury import ContractView, OpeningView, PaymentView, ProposalView
from shared.person import folded

TREASURY = f"{CONSOLE}/treasury"
FORWARD = "hashrate-forward"
"""The form of contracts that have a page of their forward."""
BLOCKS_PER_DAY = 144
_BLOCKS_PER_HOUR = 6

STATUS = {
    "proposed": "waits for its proposer's signature",
    "sealed": "waits for approval",
    "approved": "approved; the verdict is awaited",
    "cleared": "approved and clear; boxes are asked next",
    "signing": "boxes sign",
    "lapsed": "given up, yet boxes may have signed it: its coins stay held",
    "finalised": "signed; not yet with the node",
    "broadcast": "sent to the network; in no block yet",
    "confirmed": "in a block; not yet deep enough",
    "reorganised": "its block left the chain",
    "buried": "buried as deep as the contract asks",
    "proven": "proven; nothing has moved",
    "expired": "expired",
    "refused": "refused",
    "cancelled": "taken back",
    "replaced": "replaced by another version of it",
}
ENDED = frozenset({"buried", "proven", "expired", "refused", "cancelled", "replaced"})
TONES = {"proposed": 3, "sealed": 3, "lapsed": 2, "reorganised": 2, "refused": 2, "expired": 3}
FOR_PEOPLE = frozenset({"proposed", "sealed"})
"""It waits for people: for its proposer, then for those who approve."""
UNSIGNED = FOR_PEOPLE | {"approved", "cleared"}
"""No box was asked: it can be taken back."""
UNCONFIRMED = frozenset({"lapsed", "finalised", "broadcast", "reorganised"})
"""Signed whole, or maybe, and in no block: its fee can be raised."""
FILES = frozenset({"cleared", "signing"})
"""Files of signers are taken."""


def contract_href(contract_id: str) -> str:
    return f"{TREASURY}/contract/{quote(contract_id, safe='')}"


def about(proposal: ProposalView) -> str:
    """What it is for: so much to somebody, or a proof of control."""
    if proposal.message is not None:
        return "Proof of control"
    return f"{sat(paid_sat(proposal))} to {paid_to(proposal.payments)}"


def forward_href(contract_id: str) -> str:
    return f"{TREASURY}/forward/{quote(contract_id, safe='')}"


def policy_href(contract_id: str) -> str:
    return f"{TREASURY}/policy/{quote(contract_id, safe='')}"


def box_href(box_id: str) -> str:
    return f"{TREASURY}/box/{quote(box_id, safe='')}"


def payment_href(proposal_id: str) -> str:
    return f"{TREASURY}/payment/{quote(proposal_id, safe='')}"


def blocks(count: int) -> str:
    """`132 blocks ≈ 22 h`, at ten minutes a block."""
    if count >= 2 * BLOCKS_PER_DAY:
        about = f"{count / BLOCKS_PER_DAY:,.0f}{NBSP}days"
    elif count >= _BLOCKS_PER_HOUR:
        about = f"{count / _BLOCKS_PER_HOUR:.0f}{NBSP}h"
    else:
        about = f"{count * 10}{NBSP}min"
    return f"{plural(count, 'block')} ≈ {about}"


def tag(text: str, tone: int = 0) -> Content:
    return {"text": text, "tag": True, "tone": tone}


def status_tag(proposal: ProposalView) -> Content:
    return tag(STATUS.get(proposal.status, proposal.status), TONES.get(proposal.status, 0))


def paid_to(payments: tuple[PaymentView, ...]) -> str:
    """Names of whom a payment reaches; an address without a name is shortened."""
    names = list(dict.fromkeys(one.name or short(one.address) for one in payments))
    if not names:
        return "back to the contract"
    return names[0] if len(names) == 1 else f"{names[0]} and {plural(len(names) - 1, 'other')}"


def paid_sat(proposal: ProposalView) -> int:
    return sum(one.amount_sat for one in proposal.payments)


def short(text: str, ends: int = 8) -> str:
    return text if len(text) <= 2 * ends + 1 else f"{text[:ends]}…{text[-ends:]}"


def grouped(address: str) -> str:
    """In fours, as people compare addresses."""
    return " ".join(address[at : at + 4] for at in range(0, len(address), 4))


def may_approve(contract: ContractView, proposal: ProposalView) -> tuple[str, ...] | None:
    """The people whose yes would count and who have not said it; None before a policy is in force."""
    if contract.policy is None:
        return None
    role = role_of(contract, proposal)
    barred = {folded(proposal.proposed_by), *map(folded, proposal.approved_by)}
    persons = dict.fromkeys(one.person for one in contract.policy.approvers if one.role == role)
    if role == "recovery":
        persons = dict.fromkeys(one for one in persons if one in contract.policy.recovery_role_people)
    return tuple(person for person in persons if folded(person) not in barred)


def proposer(proposal: ProposalView) -> str:
    """Who may sign that he proposes it: the person of the account that asked, or anybody with a key of the policy."""
    people = tuple(proposal.to_seal)
    return people[0] if len(people) == 1 else "anybody with a key" if people else "not known who"


def role_of(contract: ContractView, proposal: ProposalView) -> str:
    path = next((path for path in contract.paths if path.name == proposal.path), None)
    return "recovery" if path is not None and path.role == "recovery" else "approver"


def missing(proposal: ProposalView) -> int | None:
    """Approvals that are still needed."""
    return None if proposal.approvals_needed is None else max(0, proposal.approvals_needed - len(proposal.approved_by))


def opening_tag(opening: OpeningView | None) -> Content | str:
    """When a locked path of a coin opens: due and open stand out."""
    if opening is None:
        return ""
    if opening.state == "open":
        return tag("open", 2)
    if opening.blocks_left is None:
        return tag("unknown: in no block yet")
    tone, text = (3, "due, ") if opening.state == "due" else (0, "")
    return {"text": f"{text}opens in {blocks(opening.blocks_left)}", "tag": bool(tone), "tone": tone}
