"""Signed tree heads: the controller's word that the log had this root at this size."""

import msgspec
from nacl.signing import SigningKey, VerifyKey

from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.errors import SignatureInvalid
from shared.wire.version import WIRE_VERSION

DOMAIN = b"bes/tree-head/v1"


class TreeHead(msgspec.Struct, array_like=True, frozen=True):
    version: int
    log_id: bytes
    size: int
    root: bytes
    at_ms: int


class SignedHead(msgspec.Struct, frozen=True):
    """`sealed` is the envelope as signed; `public_key` lets a reader check it, `key_id` lets him know whose it is."""

    size: int
    sealed: bytes
    public_key: bytes


def sign_head(key: SigningKey, *, log_id: bytes, size: int, root: bytes, at_ms: int) -> SignedHead:
    head = TreeHead(WIRE_VERSION, log_id, size, root, at_ms)
    return SignedHead(size, seal(DOMAIN, head, [key]), key.verify_key.encode())


def open_head(signed: SignedHead, trusted: VerifyKey | None = None) -> TreeHead:
    """The head, after its signature was checked by `trusted` or, without one, by the key stored beside it.

    SignatureInvalid where it does not fit; the second form shows only that the file agrees with itself.
    """
    key = trusted or _stored_key(signed)
    head, _ = unseal(DOMAIN, signed.sealed, {key_id(key): key}, TreeHead)
    return head


def _stored_key(signed: SignedHead) -> VerifyKey:
    try:
        return VerifyKey(signed.public_key)
    except ValueError as error:
        raise SignatureInvalid(f"the public key beside the head of {signed.size} events is no key") from error
