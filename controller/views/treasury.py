"""Contracts, proposals and signing boxes as people see them."""

from typing import Annotated

import msgspec

from controller.views import unit

Sats = Annotated[
    int, msgspec.Meta(description="sat. One hundred-millionth of a bitcoin", extra_json_schema={"x-unit": "sat"})
]
Weight = Annotated[int, msgspec.Meta(description="wu. Weight units (BIP-141)", extra_json_schema={"x-unit": "wu"})]


class AllowanceView(msgspec.Struct, frozen=True):
    contract_id: str
    policy_version: int
    window_left_sat: Sats
    lifetime_left_sat: Sats


class UnfitView(msgspec.Struct, frozen=True):
    """A registered contract that the box does not sign for, and why."""

    contract_id: str
    detail: str


class BoxView(msgspec.Struct, frozen=True, kw_only=True):
    """All but the address is what the box said itself, null before it has said anything.

    `clock_stale` and `stopped` are empty where the box signs; for contracts in `unfit` it signs nothing all the same.
    """

    box_id: str
    site: str
    node: str
    heard_at_ms: unit.Millis | None
    height: int | None
    ledger_seq: int | None
    ledger_head: str | None
    clock_stale: str
    stopped: str
    public_keys: tuple[str, ...]
    allowances: tuple[AllowanceView, ...]
    unfit: tuple[UnfitView, ...] = ()


class RestartView(msgspec.Struct, frozen=True, kw_only=True):
    """What the owners of a box sign (`to_sign`): that its ledger counts from here on. Each `ceremony` counts once."""

    box_id: str
    ceremony: str
    ledger_seq: int
    ledger_head: str
    to_sign: bytes


class PathView(msgspec.Struct, frozen=True, kw_only=True):
    """One way to spend. `vsize_vb` and `fees_sat` (by sat/vB) are of one input and two outputs at their largest."""

    name: str
    role: str
    sentence: str
    keys: tuple[str, ...]
    needed: int
    older_blocks: int | None
    after_height: int | None
    leaf: int | None
    input_wu: Weight
    vsize_vb: int
    fees_sat: dict[int, Sats]


class OpeningView(msgspec.Struct, frozen=True, kw_only=True):
    """When a locked path of a coin opens; null while the coin is in no block. `state`: unknown, closed, due, open."""

    path: str
    opens_at_height: int | None
    blocks_left: int | None
    state: str


class CoinView(msgspec.Struct, frozen=True, kw_only=True):
    txid: str
    vout: int
    amount_sat: Sats
    height: int | None
    branch: int
    index: int
    openings: tuple[OpeningView, ...]


class ContractSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`phase`: draft, approved, registered, funded, active, expired, closed. `balance_sat` is null where the node
    cannot be asked.
    """

    contract_id: str
    name: str
    template: str
    phase: str
    balance_sat: Sats | None
    policy_version: int | None
    open_proposals: int


class ReceiveView(msgspec.Struct, frozen=True, kw_only=True):
    """An address that was never paid: number `index` of the descriptor's receiving `branch`. All of `derived_by` came
    to this one script.
    """

    contract_id: str
    address: str
    branch: int
    index: int
    descriptor: str
    derived_by: tuple[str, ...]


class ApproverView(msgspec.Struct, frozen=True, kw_only=True):
    """A key by which a person approves or proposes; `role` is approver, recovery or proposer."""

    name: str
    person: str
    role: str


class DestinationView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    address: str
    added_at_height: int


class LimitsView(msgspec.Struct, frozen=True, kw_only=True):
    """The fee counts as spending. A limit of 0 sat forbids."""

    per_tx_sat: Sats
    window_sat: Sats
    window_blocks: int
    lifetime_sat: Sats
    fee_sat: Sats
    fee_rate_sat_vb: int
    weight_wu: Weight


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """What the owners allow; `cooling_blocks` pass before a new destination may be paid."""

    policy_version: int
    approvals_needed: int
    approvers: tuple[ApproverView, ...]
    owners: int
    owners_needed: int
    allow_list: tuple[DestinationView, ...]
    cooling_blocks: int
    limits: LimitsView
    recovery_role_people: tuple[str, ...]
    witnesses_needed: int


class PendingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy on its way: `signed` of `needed` owners, then every box has to take it. `sealed` is whether enough have
    signed, so that nobody can call it back.
    """

    policy_version: int
    policy: PolicyView
    sealed: bool
    signed: int
    needed: int
    registered: tuple[str, ...]
    refused: dict[str, str]
    to_sign: bytes


class DraftView(msgspec.Struct, frozen=True, kw_only=True):
    """What a form would become, with the id that it would have; nothing is written down."""

    contract_id: str
    name: str
    template: str
    network: str
    descriptor: str
    paths: tuple[PathView, ...]
    expires_at_height: int | None


class ComingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Every box has it; it counts from a height that has not come yet."""

    policy: PolicyView
    from_height: int


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the contract pays by its own rule: all `payees` in batches, the next from `next_batch_height` on (null where
    the height is unknown), or in parts by `weights`. One of the two is there.
    """

    payees: tuple[str, ...]
    weights: tuple[int, ...] = ()
    next_batch_height: int | None = None


class ContractView(msgspec.Struct, frozen=True, kw_only=True):
    """`sentences` and `paths` are read from the descriptor. `policy` is the one in force, null before the first;
    `coming` the one that follows it. `schedule` is null unless the contract pays by a rule of its own.
    """

    summary: ContractSummary
    descriptor: str
    network: str
    boxes: tuple[str, ...]
    schedule: ScheduleView | None = None
    paths: tuple[PathView, ...]
    coins: tuple[CoinView, ...] | None
    policy: PolicyView | None
    coming: ComingPolicy | None
    pending: PendingPolicy | None
    closed_reason: str
    drafted_by: str
    drafted_at_ms: unit.Millis


class PaymentView(msgspec.Struct, frozen=True):
    address: str
    amount_sat: Sats
    name: str = ""


class AskedBoxView(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: waiting, sent, answered, or the rule by which the box refused; `detail` is what it said then."""

    party: str
    node: str
    state: str
    detail: str = ""


class ControlView(msgspec.Struct, frozen=True, kw_only=True):
    """A proof of control (BIP-322) for whoever asked: that whoever can spend from `address` signed `message`, at the
    time of block `height`. Nothing about how much is there, whose it is, or whether it is all.
    """

    format: str
    network: str
    contract: str
    address: str
    message: str
    signature: str
    height: int
    proven_at_ms: unit.Millis


class ControlWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Prove control over address number `index` of a branch (0 receives, 1 is change)."""

    message: Annotated[str, msgspec.Meta(min_length=1, max_length=2000, description="What the asker wants signed")]
    path: str
    branch: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0
    index: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=300, description="Why; kept in the journal")]
    expiry_blocks: Annotated[int, msgspec.Meta(ge=1, le=2016)] = 144


class ProposalView(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: proposed, sealed, approved, cleared, signing, lapsed, finalised, broadcast, confirmed, reorganised,
    buried, expired, refused, cancelled, replaced. `rule` and `detail` say why it ended or waits.

    `asked_by` is the account that asked for it, `proposed_by` the person who signed that he proposes it, empty until
    then. `to_seal` is what the proposer signs, by the person as whom that account may propose; `to_sign` is what an
    approver signs; `psbt` is base64. `replaces`, `replaced_by` and `helps` are ids of other proposals.
    With a `message` it is a proof of control, which pays nobody; `control` is what it ended with (`proven`).
    """

    proposal_id: str
    contract_id: str
    contract: str
    status: str
    path: str
    payments: tuple[PaymentView, ...]
    fee_sat: Sats
    change_sat: Sats
    weight_wu: Weight
    txid: str
    reason: str
    asked_by: str
    proposed_by: str
    proposed_at_ms: unit.Millis
    expiry_height: int
    approved_by: tuple[str, ...]
    approvals_needed: int | None
    boxes: tuple[AskedBoxView, ...]
    block_height: int | None
    rule: str
    detail: str
    psbt: str
    to_seal: dict[str, bytes]
    to_sign: bytes | None
    replaces: str = ""
    replaced_by: str = ""
    helps: str = ""
    message: str | None = None
    control: ControlView | None = None


class MeterView(msgspec.Struct, frozen=True, kw_only=True):
    """A meter whose energy a node committed to, slot by slot. Slot k lasts from k to k + 1 times `interval_s` after
    1970-01-01 UTC; `missing` of them were never committed to, and no claim covers those.
    """

    site: str
    meter: str
    interval_s: int
    node: str
    node_keys: tuple[str, ...]
    first_slot: int
    last_slot: int
    slots: int
    missing: int


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """A bound of metered energy that was proven without showing any of it. `expires` is what people agreed on."""

    claim_id: str
    sentence: str
    site: str
    meter: str
    slots: int
    nonce: str
    expires: str
    node_key: str
    kept_by: str
    kept_at_ms: unit.Millis


class ProofsView(msgspec.Struct, frozen=True, kw_only=True):
    """What was proven to outsiders, or could be; newest first."""

    meters: tuple[MeterView, ...]
    claims: tuple[ClaimView, ...]
    controls: tuple[ProposalView, ...]


class TreasuryState(msgspec.Struct, frozen=True, kw_only=True):
    """`height` is null and `trouble` says why where the node cannot be asked."""

    network: str
    height: int | None
    trouble: str
    boxes: tuple[BoxView, ...]
    contracts: tuple[ContractSummary, ...]
    proposals: tuple[ProposalView, ...]


class RefreshWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Move the coins whose recovery opens soon to a new address of their contract: as many as one payment may hold."""

    fee_rate_sat_vb: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=300, description="Why; kept in the journal")]


class SpendingWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`fee_rate_sat_vb` of null takes the node's estimate for `target_blocks`. Without payments, `coins` (txid, output)
    go back to the contract: a refresh.
    """

    path: str
    payments: tuple[PaymentView, ...] = ()
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=300, description="Why; kept in the journal")]
    fee_rate_sat_vb: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    target_blocks: Annotated[int, msgspec.Meta(ge=1, le=1008)] = 6
    expiry_blocks: Annotated[int, msgspec.Meta(ge=1, le=2016)] = 144
    coins: tuple[tuple[str, int], ...] = ()
