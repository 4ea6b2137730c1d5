"""What was proven to outsiders, and of which meters something could be."""

from datetime import UTC, datetime

from controller.console.feed import Content, Topic
from controller.console.format import age, number
from controller.console.topics.treasury.patience import PatientDesk
from controller.console.topics.treasury.words import contract_href, payment_href, short, status_tag, tag
from controller.views.treasury import ClaimView, MeterView, ProposalView

PROVEN = (
    "A proof of control (BIP-322) shows that whoever can spend from an address signed a message at one moment. It "
    "does not show whose the coins are, how much there is, that it is all, or that it is still so: put a fresh number "
    "of the asker and a block into the message, and let him look at the chain himself.",
    "A claim about energy shows that one node signed a commitment for every slot of a time, without a gap, and that "
    "their sum keeps a bound. It shows neither the sum nor the profile. It does not show that the meter is honest, "
    "calibrated or the only one of the site, nor that each single slot is positive.",
)


def topics(desk: PatientDesk) -> tuple[Topic, ...]:
    now_ms = desk.clock.now_ms

    async def controls(_site: str, _subject: str) -> Content:
        return {"rows": [control_row(one, now_ms()) for one in desk.proofs().controls]}

    async def claims(_site: str, _subject: str) -> Content:
        return {"rows": [claim_row(one, now_ms()) for one in desk.proofs().claims]}

    async def meters(_site: str, _subject: str) -> Content:
        return {"rows": list(map(meter_row, desk.proofs().meters))}

    return (
        Topic("proofs-controls", 1.0, controls),
        Topic("proofs-claims", 1.0, claims),
        Topic("proofs-meters", 5.0, meters),
    )


def control_row(one: ProposalView, now_ms: int) -> Content:
    return {
        "id": one.proposal_id,
        "cells": [
            {"text": one.message or "", "href": payment_href(one.proposal_id)},
            {"text": one.contract, "href": contract_href(one.contract_id)},
            status_tag(one),
            {"text": "" if one.control is None else short(one.control.address, 12), "mono": True},
            {"text": f"{age(one.proposed_at_ms, now_ms)} ago", "dim": True},
        ],
    }


def claim_row(one: ClaimView, now_ms: int) -> Content:
    return {
        "id": one.claim_id,
        "cells": [
            one.sentence,
            number(one.slots),
            one.nonce,
            one.expires,
            {"text": f"{one.kept_by}, {age(one.kept_at_ms, now_ms)} ago", "dim": True},
            {"text": "Save", "href": f"/api/v1/claims/{one.claim_id}", "title": f"claim-{one.claim_id}.json"},
        ],
    }


def meter_row(one: MeterView) -> Content:
    missing = tag(f"{one.missing:,} missing", 3) if one.missing else {"text": "none"}
    return {
        "id": f"{one.site}-{one.meter}-{one.interval_s}",
        "cells": [
            one.meter,
            one.site,
            f"{number(one.interval_s // 60)} min",
            slot_time(one, one.first_slot),
            slot_time(one, one.last_slot + 1),
            number(one.slots),
            missing,
            {"text": ", ".join(short(key) for key in one.node_keys), "title": ", ".join(one.node_keys), "mono": True},
        ],
    }


def slot_time(one: MeterView, slot: int) -> str:
    """The moment at which a slot begins, in UTC."""
    return f"{datetime.fromtimestamp(slot * one.interval_s, UTC):%Y-%m-%d %H:%M}"
