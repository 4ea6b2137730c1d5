"""What a node signs for one interval of a meter: a hidden energy, in a chain without gaps.

The text that is signed is JSON, so that a verifier needs nothing of ours (`verifier.py`).
"""

import hashlib

import msgspec
from nacl.signing import SigningKey

from shared.proofs import verifier
from shared.proofs.commitment import blinding, commit

DOMAIN = b"bes/energy/v1\x00"
UNIT = "Wh"
GENESIS = verifier.GENESIS.hex()


class Series(msgspec.Struct, frozen=True):
    """One meter's intervals: slot k lasts from k to k + 1 times `interval_s` after 1970-01-01 UTC."""

    site: str
    meter: str
    interval_s: int

    def place(self, slot: int) -> str:
        """Names one slot of one meter, once for ever."""
        return f"{self.site} {self.meter} {UNIT} {self.interval_s} {slot}"


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


def signed_slot(series: Series, slot: int, energy_wh: int, previous: str, secret: bytes, key: SigningKey) -> SignedSlot:
    """Commit to the energy of a slot. Never twice for one slot: see `commitment.blinding`."""
    hidden = commit(energy_wh, blinding(secret, series.place(slot)), UNIT).hex()
    unsigned = SignedSlot(slot, hidden, previous, "")
    return msgspec.structs.replace(unsigned, signature=key.sign(unsigned.body(series)).signature.hex())
