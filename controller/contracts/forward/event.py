"""What happens to a forward, as it stands in the journal: stream `forward/<contract id>`."""

from typing import Literal

import msgspec

from controller.journal import EventCodec
from shared.wire.forward import ForwardTerms, Side

Step = Literal["promise", "fund", "settle", "return"]
Closing = Literal["settlement", "refund", "return"]


class ForwardOpened(msgspec.Struct, frozen=True, kw_only=True):
    """Always first. `offer` is the digest of the offer, ours or theirs; `their_stake` is empty where we offered."""

    contract_id: str
    side: Side
    offered: bool
    terms: ForwardTerms
    announcement: bytes
    our_stake: str
    their_stake: str
    their_desk: bytes
    offer: bytes


class TheirPromiseTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Every encrypted signature and the refund's were verified; `funding` too, where they sent it."""

    contract_id: str
    stake: str
    adaptors: tuple[bytes, ...]
    refund: bytes
    funding: bytes


class DeedSigned(msgspec.Struct, frozen=True):
    """An owner's key signed the deed."""

    contract_id: str
    key_id: str
    sealed: bytes


class FundingWord(msgspec.Struct, frozen=True):
    """A person proposes the funding (`role` proposer) or approves it."""

    contract_id: str
    person: str
    role: str
    sealed: bytes


class ForwardBoxAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The box is asked for a step; `attempt` counts from 1, and the deadlines make a repetition the same request."""

    contract_id: str
    step: Step
    attempt: int
    expires_at_ms: int
    expires_at_height: int


class ForwardBoxRefused(msgspec.Struct, frozen=True):
    """Our box does not take a step, and why."""

    contract_id: str
    step: Step
    attempt: int
    rule: str
    detail: str


class PromiseMade(msgspec.Struct, frozen=True):
    """Our box promised every settlement and signed the refund."""

    contract_id: str
    adaptors: tuple[bytes, ...]
    refund: bytes


class StakeSigned(msgspec.Struct, frozen=True):
    """Our box signed our stake into the funding."""

    contract_id: str
    signature: bytes


class FundingReady(msgspec.Struct, frozen=True):
    """The one funding transaction, whole."""

    contract_id: str
    raw: bytes


class ForwardFunded(msgspec.Struct, frozen=True):
    """The funding is in a block."""

    contract_id: str
    height: int


class ForwardReorganised(msgspec.Struct, frozen=True):
    """The block of the funding left the chain."""

    contract_id: str


class OutcomeAttested(msgspec.Struct, frozen=True):
    """The oracle's word, compared with the chain's own header; `outcome` is the number that it tells."""

    contract_id: str
    attestation: bytes
    outcome: int


class ClosingReady(msgspec.Struct, frozen=True):
    """The one transaction that ends it. `raw` is empty where the other side broadcast it."""

    contract_id: str
    kind: Closing
    txid: str
    raw: bytes


class ForwardBroadcastRefused(msgspec.Struct, frozen=True):
    """The node does not take a transaction of ours now."""

    contract_id: str
    txid: str
    detail: str


class ForwardClosed(msgspec.Struct, frozen=True):
    """What ended it lies deep enough."""

    contract_id: str
    height: int


AnyForwardEvent = (
    ForwardOpened
    | TheirPromiseTaken
    | DeedSigned
    | FundingWord
    | ForwardBoxAsked
    | ForwardBoxRefused
    | PromiseMade
    | StakeSigned
    | FundingReady
    | ForwardFunded
    | ForwardReorganised
    | OutcomeAttested
    | ClosingReady
    | ForwardBroadcastRefused
    | ForwardClosed
)

PREFIX = "forward/"

codec = EventCodec(AnyForwardEvent.__args__)


def forward_stream(contract_id: str) -> str:
    return PREFIX + contract_id
