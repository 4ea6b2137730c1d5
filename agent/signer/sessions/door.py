"""Packets become messages, or refusals. Who may speak is settled before anything is decoded or written."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from nacl.signing import VerifyKey

from agent.signer.rule import REQUEST_EXPIRED, REQUEST_MALFORMED, REQUEST_NOT_ADDRESSED, REQUEST_SIGNATURE
from shared.crypto.signing import unseal
from shared.errors import Denied, SignatureInvalid, WireError
from shared.wire.codec import decode
from shared.wire.signing import (
    AcceptRestart,
    ChangePolicy,
    ForwardRequest,
    HeadersBatch,
    Kind,
    Packet,
    RegisterContract,
    SigningRequest,
    WitnessAnswer,
    WitnessRequest,
    domain,
)

T = TypeVar("T", bound=msgspec.Struct)
Order = RegisterContract | ChangePolicy | SigningRequest | ForwardRequest | HeadersBatch | AcceptRestart
Word = WitnessRequest | WitnessAnswer

_ORDERS: Mapping[Kind, type[Order]] = {
    "register": RegisterContract,
    "policy": ChangePolicy,
    "request": SigningRequest,
    "forward": ForwardRequest,
    "headers": HeadersBatch,
    "restart": AcceptRestart,
}
_WORDS: Mapping[Kind, type[Word]] = {"witness-request": WitnessRequest, "witness-answer": WitnessAnswer}


class Door:
    """`operators` are the controller's keys by id. Boxes speak to boxes under their own keys."""

    def __init__(self, site: str, node: str, operators: Mapping[str, VerifyKey]) -> None:
        self._site = site
        self._node = node
        self._operators = operators

    def open(self, raw: bytes, peers: Mapping[str, VerifyKey]) -> Order | Word:
        """`Denied` where nobody who may speak has said it, or not to this box."""
        try:
            packet = decode(raw, Packet)
        except WireError as error:
            raise Denied(REQUEST_MALFORMED, error.detail) from error
        order = _ORDERS.get(packet.kind)
        if order is not None:
            return self._order(packet, order)
        word = _WORDS.get(packet.kind)
        if word is None:
            raise Denied(REQUEST_MALFORMED, f"a box is not told {packet.kind!r}")
        return _word(packet, word, peers)

    def _order(self, packet: Packet, kind: type[Order]) -> Order:
        message, _ = _opened(packet, kind, self._operators)
        if (message.site, message.node) != (self._site, self._node):
            raise Denied(
                REQUEST_NOT_ADDRESSED, f"addressed to {message.site}/{message.node}, this is {self._site}/{self._node}"
            )
        return message


def _word(packet: Packet, kind: type[Word], peers: Mapping[str, VerifyKey]) -> Word:
    """What a box says is about itself, and is sealed by the key whose id it bears."""
    message, signed_by = _opened(packet, kind, peers)
    speaker = message.box_id if isinstance(message, WitnessRequest) else message.witness_id
    if speaker not in signed_by:
        raise Denied(REQUEST_SIGNATURE, f"a word of box {speaker}, sealed by {', '.join(signed_by)}")
    return message


def _opened(packet: Packet, kind: type[T], trusted: Mapping[str, VerifyKey]) -> tuple[T, tuple[str, ...]]:
    try:
        return unseal(domain(packet.kind), packet.sealed, trusted, kind)
    except SignatureInvalid as error:
        raise Denied(REQUEST_SIGNATURE, error.detail) from error
    except WireError as error:
        raise Denied(REQUEST_MALFORMED, error.detail) from error


def require_fresh(request: SigningRequest | ForwardRequest, height: int, median_time_s: int, now_ms: int) -> None:
    """By the header clock, which nobody can set forward cheaply, and by the box's own clock, which may be late: the
    later of the two counts.
    """
    if height > request.expires_at_height:
        raise Denied(REQUEST_EXPIRED, f"void from height {request.expires_at_height + 1} on, it is {height}")
    late_ms = max(now_ms, median_time_s * 1000) - request.expires_at_ms
    if late_ms > 0:
        raise Denied(REQUEST_EXPIRED, f"expired {late_ms // 1000} s ago")
