"""A hash-rate forward: how far it has come, who is awaited, what was agreed on, what can be handed in now."""

import base64

from controller.console.feed import Content, Topic
from controller.console.format import btc, duration, hash_unit, number, plural, quantity, sat
from controller.console.topics.treasury.patience import PatientDesk
from controller.console.topics.treasury.words import blocks, grouped, short
from controller.views.forward import ForwardTermsView, ForwardView
from controller.views.ports import ForwardDesk
from shared.errors import BesError

STEPS = ("offered", "agreed", "promised", "exchanged", "signed", "broadcast", "funded", "attested")
ACCEPT, SIGN, WORD = "accept", "sign", "attestation"
UNFUNDED = frozenset(STEPS[:6])
"""A stake may still be taken back."""
_FILES = {
    ACCEPT: ("The other side's accept document: each promise in it is verified first.", "Hand in their acceptance"),
    SIGN: ("The other side's sign document: each promise in it is verified first.", "Hand in their signature"),
    WORD: ("The oracle's word: it is compared with the header of the chain.", "Hand in the oracle's word"),
}


def topics(forwards: ForwardDesk, desk: PatientDesk) -> tuple[Topic, ...]:
    async def head_now(_site: str, contract_id: str) -> Content:
        view = forwards.find(contract_id)
        if view is None:
            return unbegun()
        try:
            height = (await desk.state()).height
        except BesError:
            height = None
        return head(view, height)

    async def deed(_site: str, contract_id: str) -> Content:
        return deed_to_sign(forwards.find(contract_id))

    async def files(_site: str, contract_id: str) -> Content:
        return to_hand_in(forwards.find(contract_id))

    return (
        Topic("forward", 1.0, head_now),
        Topic("forward-deed", 1.0, deed),
        Topic("forward-files", 1.0, files),
    )


def unbegun() -> Content:
    """In the form of a payment's head."""
    return {
        "sentence": "Nothing was offered yet.",
        "why": "Pay the stake first: exactly its amount, in one output. Then one side offers, and the other takes the "
        "offer",
        "figures": [],
        "steps": [{"name": name, "state": "open", "hint": ""} for name in (*STEPS, "settlement")],
        "ended": None,
        "acts": [{"name": "offer", "label": "Offer it"}, {"name": "take", "label": "Take their offer"}],
        "others": [],
    }


def head(view: ForwardView, height: int | None) -> Content:
    figures = [
        ("Our stake", number(view.stake_sat), "sat", btc(view.stake_sat)),
        ("Decided at block", number(view.settle_height), "", _until(view.settle_height, height)),
        ("Refund from block", number(view.refund_height), "", _until(view.refund_height, height)),
        ("Owners who sealed", f"{view.deed_signed} of {view.deed_needed}", "", ""),
        ("Approved by", number(len(view.approved_by)), "", ", ".join(view.approved_by)),
    ]
    if view.outcome is not None:
        figures.append(("The oracle told", number(view.outcome), "", "in the unit of the terms"))
    return {
        "sentence": "It is over." if view.phase == "closed" else f"Awaited: {view.awaited}.",
        "why": f"We are the {view.side}, and {'we' if view.offered else 'they'} offered · event {view.event_id}",
        "figures": [
            {"label": label, "value": value, "unit": unit, "also": also} for label, value, unit, also in figures
        ],
        "steps": steps(view),
        "ended": _trouble(view),
        "acts": acts(view),
        "others": [],
    }


def _until(block: int, height: int | None) -> str:
    if height is None:
        return ""
    return f"in {blocks(block - height)}" if block > height else "passed"


def _trouble(view: ForwardView) -> Content | None:
    """What our box refused, or what the node did not take."""
    if view.refused_by:
        return {"rule": view.refused_by, "detail": f"our box: {view.refused}"}
    return {"rule": "node", "detail": view.trouble} if view.trouble else None


def steps(view: ForwardView) -> list[Content]:
    """From the offer to its end. What a forward that ended otherwise has left out does not stand there."""
    names = [*_way(view), view.closing or "settlement"]
    reached = len(names) - 1 if view.phase in ("closing", "closed") else names.index(view.phase)
    shown: list[Content] = []
    for at, name in enumerate(names):
        state = "done" if at < reached or view.phase == "closed" else "now" if at == reached else "open"
        shown.append({"name": name, "state": state, "hint": _hint(name, view)})
    return shown


def _way(view: ForwardView) -> tuple[str, ...]:
    if view.closing == "return":
        return STEPS[:2] if view.their_stake else STEPS[:1]
    return tuple(step for step in STEPS if step != "attested") if view.closing == "refund" else STEPS


def _hint(step: str, view: ForwardView) -> str:
    if step == "offered":
        return "by us" if view.offered else "by them"
    if step == "broadcast" and view.funding_txid and view.phase not in STEPS[:5]:
        return short(view.funding_txid, 4)
    if step == view.closing:
        return short(view.closing_txid, 4)
    return ""


def acts(view: ForwardView) -> list[Content]:
    """What a person may do about it now."""
    found = [{"name": f"save-{name}", "label": f"Save our {name} document"} for name in view.documents]
    if view.phase == "agreed":
        found.append({"name": "words", "label": "Propose or approve the funding"})
    if view.refused_by:
        found.append({"name": "ask", "label": "Ask our box again"})
    if view.phase in UNFUNDED and view.deed_signed >= view.deed_needed:
        found.append({"name": "return", "label": "Take the stake back"})
    return found


def deed_to_sign(view: ForwardView | None) -> Content:
    """For owners, as a policy is."""
    if view is None or view.phase not in STEPS[:2]:
        return {"to_sign": "", "text": "No deed waits for an owner."}
    text = f"{view.deed_signed} of {plural(view.deed_needed, 'owner')} sealed the deed."
    if not view.their_stake:
        text += " Until the other side has named its stake, it is good for the way back only; it is sealed anew then."
    signed = view.deed_signed >= view.deed_needed
    return {"to_sign": "" if signed else base64.b64encode(view.deed_to_sign).decode(), "text": text}


def awaited_file(view: ForwardView | None) -> str:
    """Which file is taken now; empty where none is."""
    if view is None:
        return ""
    if view.phase == "offered":
        return ACCEPT
    if view.phase == "promised" and not view.offered:
        return SIGN
    return WORD if view.phase == "funded" else ""


def to_hand_in(view: ForwardView | None) -> Content:
    awaited = awaited_file(view)
    text, action = _FILES.get(awaited, ("No file of the other side or of the oracle is awaited now.", ""))
    names = [awaited] if awaited else []
    return {"text": text, "names": names, "ask": "", "label": "or paste it, in base64", "action": action}


def lines(terms: ForwardTermsView) -> list[str]:
    """Who gets what, in sentences."""
    hashed = terms.hashrate_ghs / 1_000
    rate = quantity(hashed, hash_unit(hashed)) if hashed >= 1 else f"{number(terms.hashrate_ghs)}\u00a0GH/s"
    return [
        f"The miner sells {rate} for {duration(terms.duration_s)}, at {sat(terms.reward_sat)} a block, for "
        f"{sat(terms.price_sat)}.",
        "If difficulty rises it earns less, and the buyer makes it whole; if it falls, the buyer gets what is more.",
        f"Locked: {sat(terms.miner_collateral_sat)} by the miner and {sat(terms.buyer_collateral_sat)} by the buyer; "
        "nobody can lose more than that and fees.",
        f"The difficulty of block {number(terms.settle_height)} decides, as the oracle {short(terms.oracle_key)} tells "
        f"it under the event “{terms.event_id}”.",
        f"Without its word each gets his collateral back from block {number(terms.refund_height)} on.",
        f"The miner is paid at {grouped(terms.miner_address)}, the buyer at {grouped(terms.buyer_address)}, at "
        f"{terms.fee_rate_sat_vb}\u00a0sat/vB for ever.",
    ]


def payout_rows(terms: ForwardTermsView) -> list[Content]:
    """The curve at a few points; a bar is the miner's share."""
    last = len(terms.payouts) - 1
    rows: list[Content] = []
    for at, one in enumerate(terms.payouts):
        share = 100 * one.miner_sat / (one.miner_sat + one.buyer_sat)
        edge = " or less" if at == 0 else " or more" if at == last else ""
        rows.append(
            {
                "id": f"payout-{at}",
                "cells": [
                    number(one.difficulty) + edge,
                    {"load": round(share), "full": False, "text": f"{number(share)}\u00a0%"},
                    sat(one.miner_sat),
                    sat(one.buyer_sat),
                ],
            }
        )
    return rows
