"""A forward as a state machine over its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.contracts.forward.event import (
    AnyForwardEvent,
    ClosingReady,
    DeedSigned,
    ForwardBoxAsked,
    ForwardBoxRefused,
    ForwardBroadcastRefused,
    ForwardClosed,
    ForwardFunded,
    ForwardOpened,
    ForwardReorganised,
    FundingReady,
    FundingWord,
    OutcomeAttested,
    PromiseMade,
    StakeSigned,
    TheirPromiseTaken,
)
from controller.contracts.forward.refusal import ForwardRefusal
from shared.errors import Denied
from shared.wire.forward import ForwardDeed


class ForwardPhase(StrEnum):
    OFFERED = "offered"  # we offered; the other side's stake and promises are awaited
    AGREED = "agreed"  # both stakes are known: owners seal the deed, people approve
    PROMISED = "promised"  # our box promised every outcome; the other side's promises are awaited
    EXCHANGED = "exchanged"  # every promise of both sides was verified
    SIGNED = "signed"  # our stake is signed in
    BROADCAST = "broadcast"  # the funding is whole and on its way
    FUNDED = "funded"  # in a block
    ATTESTED = "attested"  # the oracle has spoken, and the chain agrees
    CLOSING = "closing"  # settled, refunded or taken back, and not deep enough yet
    CLOSED = "closed"


@dataclass(frozen=True)
class TheirPromise:
    adaptors: tuple[bytes, ...]
    refund: bytes
    funding: bytes


@dataclass(frozen=True, kw_only=True)
class Forward:
    """`opened` says what was agreed on; everything else has happened since."""

    opened: ForwardOpened
    their_stake: str
    deed_signatures: Mapping[str, bytes] = field(default_factory=dict)
    proposal: FundingWord | None = None
    approvals: Mapping[str, FundingWord] = field(default_factory=dict)  # by person
    asked: Mapping[str, ForwardBoxAsked] = field(default_factory=dict)  # the last of each step
    refused: ForwardBoxRefused | None = None
    ours: PromiseMade | None = None
    theirs: TheirPromise | None = None
    stake_signature: bytes = b""
    funding_raw: bytes = b""
    funded_height: int | None = None
    attested: OutcomeAttested | None = None
    closing: ClosingReady | None = None
    closed_height: int | None = None
    trouble: str = ""  # what the node said last, where it did not take a transaction of ours
    version: int = 1

    @property
    def contract_id(self) -> str:
        return self.opened.contract_id

    @property
    def phase(self) -> ForwardPhase:
        if self.closed_height is not None:
            return ForwardPhase.CLOSED
        if self.closing is not None:
            return ForwardPhase.CLOSING
        if self.attested is not None:
            return ForwardPhase.ATTESTED
        if self.funded_height is not None:
            return ForwardPhase.FUNDED
        if self.funding_raw:
            return ForwardPhase.BROADCAST
        if self.stake_signature:
            return ForwardPhase.SIGNED
        if self.ours is not None:
            return ForwardPhase.PROMISED if self.theirs is None else ForwardPhase.EXCHANGED
        return ForwardPhase.AGREED if self.their_stake else ForwardPhase.OFFERED

    @property
    def deed(self) -> ForwardDeed:
        """What the owners seal. Until the other side has named its stake it is good for the way back only."""
        opened, theirs = self.opened, self.their_stake or self.opened.our_stake
        miner = opened.side == "miner"
        return ForwardDeed(
            contract_id=opened.contract_id,
            side=opened.side,
            terms=opened.terms,
            announcement=opened.announcement,
            miner_stake=opened.our_stake if miner else theirs,
            buyer_stake=theirs if miner else opened.our_stake,
        )

    def waits(self, step: str) -> bool:
        """Whether the box was asked for a step and has not refused it since."""
        asked, refused = self.asked.get(step), self.refused
        return asked is not None and (refused is None or (refused.step, refused.attempt) != (step, asked.attempt))


_ALIVE = frozenset(ForwardPhase) - {ForwardPhase.CLOSED}
_ALLOWED: dict[type[AnyForwardEvent], frozenset[ForwardPhase]] = {
    TheirPromiseTaken: frozenset({ForwardPhase.OFFERED, ForwardPhase.PROMISED}),
    DeedSigned: frozenset({ForwardPhase.OFFERED, ForwardPhase.AGREED}),
    FundingWord: frozenset({ForwardPhase.AGREED}),
    ForwardBoxAsked: _ALIVE,
    ForwardBoxRefused: _ALIVE,
    PromiseMade: frozenset({ForwardPhase.AGREED}),
    StakeSigned: frozenset({ForwardPhase.EXCHANGED}),
    FundingReady: frozenset({ForwardPhase.SIGNED}),
    ForwardFunded: frozenset({ForwardPhase.SIGNED, ForwardPhase.BROADCAST}),
    ForwardReorganised: frozenset({ForwardPhase.FUNDED, ForwardPhase.ATTESTED, ForwardPhase.CLOSING}),
    OutcomeAttested: frozenset({ForwardPhase.FUNDED}),
    ClosingReady: _ALIVE - {ForwardPhase.CLOSING},
    ForwardBroadcastRefused: _ALIVE,
    ForwardClosed: frozenset({ForwardPhase.CLOSING}),
}


def opened(event: ForwardOpened) -> Forward:
    return Forward(opened=event, their_stake=event.their_stake)


def evolve(state: Forward, event: AnyForwardEvent) -> Forward:
    """The state after `event`, one version further; Denied `forward.wrong-phase` where it does not apply."""
    if state.phase not in _ALLOWED.get(type(event), frozenset()):
        raise Denied(
            ForwardRefusal.WRONG_PHASE,
            f"forward {state.contract_id[:12]} is {state.phase}; {type(event).__name__} does not apply",
        )
    return replace(_after(state, event), version=state.version + 1)


def _after(state: Forward, event: AnyForwardEvent) -> Forward:
    match event:
        case TheirPromiseTaken():
            promise = TheirPromise(event.adaptors, event.refund, event.funding)
            fresh: Mapping[str, bytes] = state.deed_signatures if state.their_stake == event.stake else {}
            return replace(state, theirs=promise, their_stake=event.stake, deed_signatures=fresh)
        case DeedSigned():
            return replace(state, deed_signatures={**state.deed_signatures, event.key_id: event.sealed})
        case FundingWord(role="proposer"):
            return replace(state, proposal=event, approvals={})
        case FundingWord():
            return replace(state, approvals={**state.approvals, event.person: event})
        case ForwardBoxAsked():
            return replace(state, asked={**state.asked, event.step: event})
        case ForwardBoxRefused():
            return replace(state, refused=event)
        case PromiseMade():
            return replace(state, ours=event, refused=None)
        case StakeSigned():
            return replace(state, stake_signature=event.signature, refused=None)
    return _on_chain(state, event)


def _on_chain(state: Forward, event: AnyForwardEvent) -> Forward:
    match event:
        case FundingReady():
            return replace(state, funding_raw=event.raw)
        case ForwardFunded():
            return replace(state, funded_height=event.height, trouble="")
        case ForwardReorganised():
            return replace(state, funded_height=None, attested=None, closing=None)
        case OutcomeAttested():
            return replace(state, attested=event)
        case ClosingReady():
            return replace(state, closing=event, trouble="")
        case ForwardBroadcastRefused():
            return replace(state, trouble=event.detail)
        case ForwardClosed():
            return replace(state, closed_height=event.height)
    return state
