"""Sign and open envelopes."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from shared.crypto.keys import key_id
from shared.errors import SignatureInvalid
from shared.wire.codec import MAX_MESSAGE_BYTES, decode, encode
from shared.wire.envelope import Envelope, Signature

T = TypeVar("T", bound=msgspec.Struct)


def seal(domain: bytes, message: msgspec.Struct, signers: Sequence[SigningKey]) -> bytes:
    """The message with a signature of each signer over `domain` and the exact bytes."""
    payload = encode(message)
    covered = _covered(domain, payload)
    signatures = tuple(Signature(key_id(key.verify_key), key.sign(covered).signature) for key in signers)
    return encode(Envelope(payload=payload, signatures=signatures))


def unseal(domain: bytes, raw: bytes, trusted: Mapping[str, VerifyKey], kind: type[T]) -> tuple[T, tuple[str, ...]]:
    """The message and the ids of the trusted keys that signed it.

    Refused (`SignatureInvalid`) where no signature is by a trusted key or any of the signatures by a trusted key is
    wrong; the payload is decoded only after that. `trusted` maps key ids to keys.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise SignatureInvalid(f"envelope of {len(raw)} bytes is larger than {MAX_MESSAGE_BYTES}")
    envelope = decode(raw, Envelope)
    covered = _covered(domain, envelope.payload)
    signed_by: list[str] = []
    for signature in envelope.signatures:
        key = trusted.get(signature.key_id)
        if key is None:
            continue
        try:
            key.verify(covered, signature.value)
        except (BadSignatureError, ValueError) as error:
            raise SignatureInvalid(f"the signature of key {signature.key_id} does not fit the message") from error
        if signature.key_id not in signed_by:
            signed_by.append(signature.key_id)
    if not signed_by:
        raise SignatureInvalid("no signature by a key that is trusted here")
    return decode(envelope.payload, kind), tuple(signed_by)


def _covered(domain: bytes, payload: bytes) -> bytes:
    return domain + b"\x00" + payload
