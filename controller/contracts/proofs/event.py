"""What a node committed to, as it stands in the journal: one stream a meter."""

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from shared.errors import DecodeFailed, SignatureInvalid
from shared.proofs.slot import Series, SignedSlot
from shared.wire.event import Event

COMMITTED = "energy.committed"


class EnergySlotCommitted(msgspec.Struct, frozen=True):
    """`opening` is sealed to the owner; `node_key` signed the slot. Both in hex."""

    series: Series
    slot: SignedSlot
    opening: str
    node: str
    node_key: str


class ClaimKept(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that somebody made with the owner's key, checked and kept for whoever asks again. `document` is JSON."""

    claim_id: str
    sentence: str
    series: Series
    slots: int
    nonce: str
    expires: str
    node_key: str
    document: str


CLAIMS = "energy-claims"


def stream_of(series: Series) -> str:
    return f"energy/{series.site}/{series.meter}/{series.interval_s}"


class _Said(msgspec.Struct, frozen=True):
    slot: int
    commitment: str
    previous: str
    signature: str
    interval_s: int
    opening: str


def committed(site: str, node: str, key: VerifyKey, event: Event) -> EnergySlotCommitted:
    """The fact in a node's event. DecodeFailed where it holds none, SignatureInvalid where the node did not sign it."""
    try:
        said = msgspec.convert(event.data, _Said)
        slot = SignedSlot(said.slot, said.commitment, said.previous, said.signature)
        series = Series(site, event.subject, said.interval_s)
        key.verify(slot.body(series), bytes.fromhex(slot.signature))
    except BadSignatureError as error:
        raise SignatureInvalid(f"slot {said.slot} of {event.subject} is not signed by node {node}") from error
    except (msgspec.ValidationError, ValueError) as error:
        raise DecodeFailed(f"committed energy of {event.subject}: {error}") from error
    return EnergySlotCommitted(series, slot, said.opening, node, key.encode().hex())
