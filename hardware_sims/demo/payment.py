"""A payment as the people of the demo carry it: asked for, signed by its proposer, approved, waited for."""

import base64
import json
from typing import Any

import msgspec

from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.disproved import Disproved
from hardware_sims.demo.treasury import PROPOSER, Treasury
from shared.crypto.signing import seal
from shared.wire.codec import decode
from shared.wire.contract import APPROVAL_DOMAIN, Approval

WAIT_S = 90.0


def asked_for(
    api: JsonClient, contract_id: str, path: str, payments: list[dict[str, Any]], reason: str
) -> dict[str, Any]:
    """It waits for its proposer."""
    wish = {"path": path, "payments": payments, "reason": reason, "fee_rate_sat_vb": 5}
    proposal: dict[str, Any] = api.post(f"/contracts/{contract_id}/proposals", wish)
    return proposal


def proposed(
    api: JsonClient, treasury: Treasury, contract_id: str, path: str, payments: list[dict[str, Any]], reason: str
) -> dict[str, Any]:
    """The proposer signed it, and it waits for approvals."""
    return sealed_by_proposer(api, treasury, asked_for(api, contract_id, path, payments, reason))


def sealed_by_proposer(api: JsonClient, treasury: Treasury, proposal: dict[str, Any]) -> dict[str, Any]:
    document = document_of(proposal["to_seal"][PROPOSER])
    sealed = seal(APPROVAL_DOMAIN, document, [treasury.people.key(PROPOSER)])
    signed: dict[str, Any] = api.post(f"/proposals/{proposal['proposal_id']}/seal", {"sealed": text(sealed)})
    return signed


def approved(api: JsonClient, treasury: Treasury, proposal: dict[str, Any], names: tuple[str, ...]) -> list[bytes]:
    """What each of them signed."""
    approval = document_of(proposal["to_sign"])
    given = [seal(APPROVAL_DOMAIN, approval, [treasury.people.key(name)]) for name in names]
    for sealed in given:
        api.post(f"/proposals/{proposal['proposal_id']}/approvals", {"sealed": text(sealed)})
    return given


def proposers_word(treasury: Treasury, proposal: dict[str, Any]) -> bytes:
    """What the proposer signed of a payment that waits for approvals."""
    document = msgspec.structs.replace(document_of(proposal["to_sign"]), role="proposer")
    return seal(APPROVAL_DOMAIN, document, [treasury.people.key(PROPOSER)])


def document_of(to_sign: str) -> Approval:
    return decode(base64.b64decode(to_sign), Approval)


def proposal_when(api: JsonClient, proposal_id: str, wanted: set[str]) -> dict[str, Any]:
    last = ""

    def looked() -> dict[str, Any] | None:
        nonlocal last
        view: dict[str, Any] = api.get(f"/proposals/{proposal_id}")
        last = json.dumps({name: view[name] for name in ("status", "rule", "detail", "boxes")})
        if view["status"] in {"refused", "expired"} - wanted:
            raise Disproved(f"the proposal ended: {last}")
        return view if view["status"] in wanted else None

    return wait_for(f"the proposal is {' or '.join(sorted(wanted))}", looked, WAIT_S)


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
