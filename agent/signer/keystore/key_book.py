"""The list of a box's keys, for whoever builds a contract with them.

Keys of a token have no BIP-32, so a contract names each of them and a new epoch needs new ones. Each stands in the list
with a signature by itself, which only its token can make, and all of them are sealed by the box.
"""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from nacl.signing import SigningKey, VerifyKey

from agent.signer.keystore.hsm_key import HsmKey, HsmKeys
from shared.bitcoin.signature import verify_ecdsa
from shared.crypto.signing import seal, unseal
from shared.errors import SignatureInvalid

DOMAIN = b"bes/key-book/v1"
_PROOF_TAG = hashlib.sha256(b"bes/key-book/proof/v1").digest()


class ProvenKey(msgspec.Struct, frozen=True, array_like=True):
    """`proof` is an ECDSA signature of the key itself (DER) over `proof_digest`."""

    key_id: str
    public_key: bytes
    proof: bytes


class KeyBook(msgspec.Struct, frozen=True, array_like=True):
    """The signing keys that a box offers for contracts."""

    box_id: str
    token_serial: str
    keys: tuple[ProvenKey, ...]


def written(keys: HsmKeys, pinned: Iterable[HsmKey], box_id: str, token_serial: str) -> KeyBook:
    """The book of keys that `keys` has opened, each with a proof that its token made now."""
    proven = tuple(ProvenKey(key.key_id, key.public_key, keys.sign(key, proof_digest(box_id, key))) for key in pinned)
    return KeyBook(box_id, token_serial, proven)


def sealed(book: KeyBook, box_key: SigningKey) -> bytes:
    """As it goes into a file."""
    return seal(DOMAIN, book, [box_key])


def opened(raw: bytes, boxes: Mapping[str, VerifyKey]) -> KeyBook:
    """SignatureInvalid where no known box sealed it, a key's proof is wrong, or a key or an id is there twice."""
    book, _ = unseal(DOMAIN, raw, boxes, KeyBook)
    for field in ("key_id", "public_key"):
        values = [getattr(key, field) for key in book.keys]
        if len(set(values)) != len(values):
            raise SignatureInvalid(f"the key book of box {book.box_id} has one {field} twice")
    for key in book.keys:
        digest = proof_digest(book.box_id, HsmKey(key.key_id, key.public_key))
        if not verify_ecdsa(key.public_key, digest, key.proof):
            raise SignatureInvalid(f"the key book of box {book.box_id}: key {key.key_id} does not prove itself")
    return book


def proof_digest(box_id: str, key: HsmKey) -> bytes:
    """SHA-256 over the tag twice (as BIP-340 tags hashes), the public key, and the names of key and box."""
    names = f"{key.key_id}/{box_id}".encode()
    return hashlib.sha256(_PROOF_TAG + _PROOF_TAG + key.public_key + names).digest()
