"""A hash-rate forward as two companies agree on it, and the documents that they exchange about it.

Documents travel as files, each sealed by the desk key (Ed25519) of the company that says it, under a domain of its own.
They keep to the order of the DLC specification (offer, accept, sign); the bytes are ours. A document that holds more
than this program knows is refused: it may mean something else.
"""

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.wire.codec import encode
from shared.wire.contract import Height, NetworkName, Sat, Txid, Whole
from shared.wire.version import WIRE_VERSION

DEED_DOMAIN = b"bes/forward/deed/v1"
OFFER_DOMAIN = b"bes/forward/offer/v1"
ACCEPT_DOMAIN = b"bes/forward/accept/v1"
SIGN_DOMAIN = b"bes/forward/sign/v1"
_TERMS_TAG = b"BES/forward/v1"

MOST_SETTLEMENTS = 4_000
"""162 bytes each: a document of all promises stays below the largest message."""

Side = Literal["miner", "buyer"]
PublicKey = Annotated[bytes, Meta(min_length=33, max_length=33)]
Adaptor = Annotated[bytes, Meta(min_length=162, max_length=162)]
Der = Annotated[bytes, Meta(min_length=8, max_length=72)]
Outpoint = Annotated[str, Meta(pattern="^[0-9a-f]{64}:[0-9]{1,5}$")]
Address = Annotated[str, Meta(min_length=1, max_length=128)]
Announcement = Annotated[bytes, Meta(min_length=1, max_length=16_384)]


class Hedge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A miner who swaps what its hash rate earns for a fixed price.

    `hashrate_ghs` for `duration_s` earns `reward_sat` per block at average luck; `price_sat` is agreed. The miner gets
    its collateral plus price less earnings, at least nothing and at most both collaterals.
    """

    hashrate_ghs: Annotated[int, Meta(ge=1, le=1 << 50)]
    duration_s: Annotated[int, Meta(ge=1, le=1 << 40)]
    reward_sat: Sat
    price_sat: Sat
    miner_collateral_sat: Sat
    buyer_collateral_sat: Sat

    @property
    def total_sat(self) -> int:
        return self.miner_collateral_sat + self.buyer_collateral_sat


class ForwardTerms(msgspec.Struct, array_like=True, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What miner and buyer agree on, the same bytes on both sides.

    Settles by the difficulty of the block at `settle_height` as `oracle_key` (x-only) attests it: divided by `unit`,
    rounded down, in `nb_digits` digits of `base`. Without the oracle's word the collateral goes back from
    `refund_height` on. Each side's key (compressed) holds its stake and signs for it in the 2-of-2.
    """

    network: NetworkName
    miner_key: PublicKey
    buyer_key: PublicKey
    hedge: Hedge
    oracle_key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    event_id: Annotated[str, Meta(min_length=1, max_length=256)]
    unit: Annotated[int, Meta(ge=1, le=1 << 62)]
    base: Annotated[int, Meta(ge=2, le=256)]
    nb_digits: Annotated[int, Meta(ge=1, le=40)]
    rounding_sat: Whole
    settle_height: Height
    refund_height: Height
    miner_address: Address
    buyer_address: Address
    fee_rate_sat_vb: Annotated[int, Meta(ge=1, le=10_000)]
    version: Annotated[int, Meta(ge=1)] = WIRE_VERSION

    @property
    def outcomes(self) -> int:
        return int(self.base**self.nb_digits)

    def key(self, side: Side) -> bytes:
        return self.miner_key if side == "miner" else self.buyer_key


class ForwardDeed(msgspec.Struct, array_like=True, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides where the money of one forward may go. The owners of the contract seal it under DEED_DOMAIN,
    and a box takes one for each contract. The stakes are `txid:vout`; their amounts follow from the terms.
    """

    contract_id: Txid
    side: Side
    terms: ForwardTerms
    announcement: Announcement
    miner_stake: Outpoint
    buyer_stake: Outpoint
    version: Annotated[int, Meta(ge=1)] = WIRE_VERSION


class ForwardOffer(msgspec.Struct, array_like=True, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First: these terms, this announcement, and the stake of the one who offers."""

    terms: ForwardTerms
    announcement: Announcement
    side: Side
    stake: Outpoint
    version: Annotated[int, Meta(ge=1)] = WIRE_VERSION


class ForwardPromise(msgspec.Struct, array_like=True, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accept and sign: every settlement promised, and the refund signed. `offer` is the digest of the offer's terms,
    announcement and stake; `stake` is that of the one who promises; `funding` is its signature on the funding
    transaction, in the sign document only.
    """

    offer: Annotated[bytes, Meta(min_length=32, max_length=32)]
    side: Side
    stake: Outpoint
    adaptors: Annotated[tuple[Adaptor, ...], Meta(min_length=2, max_length=MOST_SETTLEMENTS)]
    refund: Der
    funding: Annotated[bytes, Meta(max_length=72)] = b""
    version: Annotated[int, Meta(ge=1)] = WIRE_VERSION


def other(side: Side) -> Side:
    return "buyer" if side == "miner" else "miner"


def offer_digest(offer: ForwardOffer) -> bytes:
    """Tagged SHA-256 (as in BIP-340) over the canonical bytes."""
    tag = hashlib.sha256(_TERMS_TAG).digest()
    return hashlib.sha256(tag + tag + encode(offer)).digest()
