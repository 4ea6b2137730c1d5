"""What a node signs for one interval of a meter: a hidden energy, in a chain without gaps.

The text that is signed is JSON, so that a verifier needs nothing of ours (`verifier.py`).
"""

import hashlib

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey

from shared.errors import DecodeFailed, SignatureInvalid
from shared.proofs import verifier
from shared.proofs.commitment import commit, fresh_blinding

DOMAIN = b"bes/energy/v1\x00"
UNIT = "Wh"
GENESIS = verifier.GENESIS.hex()


class Series(msgspec.Struct, frozen=True):
    """One meter's intervals: slot k lasts from k to k + 1 times `interval_s` after 1970-01-01 UTC."""

    site: str
    meter: str
    interval_s: int


class SignedSlot(msgspec.Struct, frozen=True):
    """`previous` is the hash of the slot that the node signed before, 64 zeros before the first; all in hex."""

    slot: int
    commitment: str
    previous: str
    signature: str

    def body(self, series: Series) -> bytes:
        """The bytes under the signature."""
        text = {"slot": self.slot, "commitment": self.commitment, "previous": self.previous, "unit": UNIT}
        return DOMAIN + verifier.statement_bytes(text | msgspec.structs.asdict(series))

    def digest(self, series: Series) -> str:
        """What the next slot names as its `previous`."""
        return hashlib.sha256(self.body(series)).hexdigest()


class Opening(msgspec.Struct, frozen=True):
    """What a slot hides. Whoever has it knows the energy; it travels only sealed to the owner."""

    energy_wh: int
    blinding: bytes

    @classmethod
    def fresh(cls, energy_wh: int) -> "Opening":
        return cls(energy_wh, fresh_blinding().to_bytes(32, "big"))

    def sealed(self, owner: PublicKey) -> bytes:
        """Only the owner's secret key opens it, not even the node that made it."""
        return SealedBox(owner).encrypt(msgspec.msgpack.encode(self))

    @classmethod
    def unsealed(cls, sealed: bytes, owner: PrivateKey) -> "Opening":
        """SignatureInvalid where it was not sealed to this owner; DecodeFailed where it holds no opening."""
        try:
            return msgspec.msgpack.decode(SealedBox(owner).decrypt(sealed), type=cls)
        except CryptoError as error:
            raise SignatureInvalid("the opening of a slot was not sealed to this owner's key") from error
        except msgspec.DecodeError as error:
            raise DecodeFailed(f"a sealed opening: {error}") from error


def signed_slot(series: Series, slot: int, opening: Opening, previous: str, key: SigningKey) -> SignedSlot:
    """Commit to the energy of a slot, after the slot whose digest is `previous` (GENESIS: after none)."""
    hidden = commit(opening.energy_wh, int.from_bytes(opening.blinding, "big"), UNIT).hex()
    unsigned = SignedSlot(slot, hidden, previous, "")
    return msgspec.structs.replace(unsigned, signature=key.sign(unsigned.body(series)).signature.hex())
