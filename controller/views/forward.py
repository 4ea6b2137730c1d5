"""A hash-rate forward as people see it."""

import msgspec

from controller.views.treasury import Sats


class StakeView(msgspec.Struct, frozen=True, kw_only=True):
    """What a side pays to its own key before anything is agreed on: exactly this amount, in one output."""

    side: str
    address: str
    amount_sat: Sats


class PayoutView(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides get where the difficulty is `difficulty`, a point of the curve."""

    difficulty: int
    miner_sat: Sats
    buyer_sat: Sats


class ForwardTermsView(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed on, as the contract has it. `payouts` rise with difficulty: the first holds for every lower
    one, the last for every higher one.
    """

    contract_id: str
    name: str
    event_id: str
    oracle_key: str
    settle_height: int
    refund_height: int
    hashrate_ghs: int
    duration_s: int
    reward_sat: Sats
    price_sat: Sats
    miner_collateral_sat: Sats
    buyer_collateral_sat: Sats
    miner_address: str
    buyer_address: str
    fee_rate_sat_vb: int
    payouts: tuple[PayoutView, ...]


class ForwardView(msgspec.Struct, frozen=True, kw_only=True):
    """`phase` and what is awaited in it. `deed_to_sign` is what owners sign, `documents` are the names of what we have
    to send to the other side. `refused_by` and `refused` are the rule and words of our box, where it refused a step.
    """

    contract_id: str
    side: str
    phase: str
    awaited: str
    offered: bool
    event_id: str
    settle_height: int
    refund_height: int
    our_stake: str
    their_stake: str
    stake_sat: Sats
    funding_txid: str | None
    deed_to_sign: bytes
    deed_signed: int
    deed_needed: int
    proposed_by: str
    approved_by: tuple[str, ...]
    documents: tuple[str, ...]
    refused_by: str
    refused: str
    trouble: str
    outcome: int | None
    closing: str
    closing_txid: str


class OfferWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`side` is ours, `stake` our coin as `txid:vout`, `announcement` the oracle's (base64), `their_desk` the other
    company's public desk key in hex.
    """

    side: str
    stake: str
    announcement: bytes
    their_desk: str


class TakeOfferWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`offer` is the other side's document in base64."""

    stake: str
    offer: bytes
    their_desk: str
