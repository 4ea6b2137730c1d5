"""Requests to signing boxes: sealed by the operator's key, and what the outbox carries of them."""

import re

import msgspec
from nacl.signing import SigningKey

from controller.journal import SideEffect
from controller.signing.model import AskedBox, Round
from controller.signing.progress import ProposalProgress
from shared.crypto.signing import seal
from shared.wire.codec import encode
from shared.wire.signing import Packet, SigningRequest, domain
from shared.wire.version import WIRE_VERSION

SIGNING_KIND = "signing"
BROADCAST_KIND = "broadcast"
_REQUEST_ID = re.compile(r"(s-[0-9a-f]{12}-[0-9a-f]{8})-[0-9]{1,3}[a-z][0-9]{1,3}")


class Parcel(msgspec.Struct, array_like=True, frozen=True):
    """The payload of an outbox entry that goes to a box."""

    proposal_id: str
    request_id: str
    site: str
    node: str
    packet: bytes
    expires_at_ms: int


class Broadcast(msgspec.Struct, array_like=True, frozen=True):
    """The payload of an outbox entry that goes to the node; `number` counts the broadcasts of this transaction."""

    proposal_id: str
    txid: str
    raw: bytes
    number: int


def request_id(proposal_id: str, attempt: int, kind: Round, place: int) -> str:
    """Unique and readable; `proposal_of` finds the way back."""
    return f"{proposal_id}-{attempt}{kind.value[0]}{place}"


def proposal_of(answered: str) -> str | None:
    """The proposal that a request id belongs to; None where it is not one of ours."""
    ours = _REQUEST_ID.fullmatch(answered)
    return ours[1] if ours else None


def signing_effect(
    progress: ProposalProgress, box: AskedBox, kind: Round, path: str, psbt: bytes, until_ms: int, key: SigningKey
) -> SideEffect:
    """The request of one box, in its lane: a box gets what it is asked in order."""
    proposal = progress.proposal
    request = SigningRequest(
        request_id=box.request_id,
        site=box.site,
        node=box.node,
        contract_id=proposal.contract_id,
        policy_version=proposal.policy_version,
        path=path,
        psbt=psbt,
        proposal=progress.proposer_seal,
        approvals=tuple(progress.approvals.values()),
        round=kind.value,
        family=proposal.family,
        message=proposal.message,
        expires_at_ms=until_ms,
        expires_at_height=proposal.expiry_height,
    )
    packet = encode(Packet(WIRE_VERSION, "request", seal(domain("request"), request, [key])))
    parcel = Parcel(progress.proposal_id, box.request_id, box.site, box.node, packet, until_ms)
    return SideEffect(box.request_id, SIGNING_KIND, f"{box.site}/{box.node}", encode(parcel))


def broadcast_effect(proposal_id: str, txid: str, raw: bytes, number: int) -> SideEffect:
    """The same transaction under the same number goes out once; numbers rise when a block has left the chain."""
    payload = encode(Broadcast(proposal_id, txid, raw, number))
    return SideEffect(f"broadcast/{txid}/{number}", BROADCAST_KIND, proposal_id, payload)
