"""Offer, accept and sign: sealed by a company's desk key, opened against the key that was agreed on."""

from typing import TypeVar

import msgspec
from nacl.signing import SigningKey, VerifyKey

from controller.contracts.forward.model import Forward
from controller.contracts.forward.refusal import ForwardRefusal
from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.errors import Denied, WireError
from shared.wire.forward import (
    ACCEPT_DOMAIN,
    OFFER_DOMAIN,
    SIGN_DOMAIN,
    ForwardOffer,
    ForwardPromise,
    ForwardTerms,
)

T = TypeVar("T", bound=msgspec.Struct)


def offer_of(state: Forward) -> ForwardOffer:
    told = state.opened
    return ForwardOffer(terms=told.terms, announcement=told.announcement, side=told.side, stake=told.our_stake)


def documents(state: Forward, desk: SigningKey) -> dict[str, bytes]:
    """What we have to send so far, by its name: `offer`, `accept` or `sign`."""
    found: dict[str, bytes] = {}
    if state.opened.offered:
        found["offer"] = seal(OFFER_DOMAIN, offer_of(state), [desk])
        if state.ours is not None and state.stake_signature:
            found["sign"] = seal(SIGN_DOMAIN, _promise(state, state.stake_signature), [desk])
    elif state.ours is not None:
        found["accept"] = seal(ACCEPT_DOMAIN, _promise(state, b""), [desk])
    return found


def opened_offer(document: bytes, their_desk: bytes, ours: ForwardTerms) -> ForwardOffer:
    """Denied `forward.not-theirs`; `forward.other-terms` names the first field that is not as our contract has it."""
    offer = _opened(OFFER_DOMAIN, document, their_desk, ForwardOffer)
    for name in ForwardTerms.__struct_fields__:
        told, wanted = getattr(offer.terms, name), getattr(ours, name)
        if told != wanted:
            raise Denied(ForwardRefusal.OTHER_TERMS, f"{name}: they offer {told!r}, our contract says {wanted!r}")
    return offer


def opened_promise(state: Forward, document: bytes) -> ForwardPromise:
    """Their accept where we offered, their sign document where they did; Denied as above."""
    domain = ACCEPT_DOMAIN if state.opened.offered else SIGN_DOMAIN
    promise = _opened(domain, document, state.opened.their_desk, ForwardPromise)
    if promise.offer != state.opened.offer:
        raise Denied(ForwardRefusal.OTHER_TERMS, "offer: it answers another offer than the one of this contract")
    if promise.side == state.opened.side:
        raise Denied(ForwardRefusal.OTHER_TERMS, f"side: both sides say that they are the {promise.side}")
    if state.their_stake and promise.stake != state.their_stake:
        raise Denied(ForwardRefusal.OTHER_TERMS, f"stake: {promise.stake}, and {state.their_stake} was agreed on")
    if promise.stake == state.opened.our_stake:
        raise Denied(ForwardRefusal.OTHER_TERMS, "stake: they name our own")
    return promise


def _promise(state: Forward, funding: bytes) -> ForwardPromise:
    assert state.ours is not None
    return ForwardPromise(
        offer=state.opened.offer,
        side=state.opened.side,
        stake=state.opened.our_stake,
        adaptors=state.ours.adaptors,
        refund=state.ours.refund,
        funding=funding,
    )


def _opened(domain: bytes, document: bytes, their_desk: bytes, kind: type[T]) -> T:
    try:
        desk = VerifyKey(their_desk)
        return unseal(domain, document, {key_id(desk): desk}, kind)[0]
    except (WireError, ValueError) as error:
        reason = error.detail if isinstance(error, WireError) else str(error)
        raise Denied(ForwardRefusal.NOT_THEIRS, f"{kind.__name__}: {reason}") from error
