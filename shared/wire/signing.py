"""Words between controller and signing boxes. Only `controller.signing`, `agent.signer` and the transports beside them
may import this module.

Each message travels as a `Packet`: its kind, and the message sealed under the domain of that kind. The controller's
operator keys seal what goes down, a box's own key what goes up; what boxes tell each other is relayed as it came.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.wire.bound import Counter, Millis
from shared.wire.contract import ContractTerms, Height, Name, Sat, Txid, Whole
from shared.wire.forward import MOST_SETTLEMENTS, Adaptor
from shared.wire.version import WIRE_VERSION

Kind = Literal[
    "register",
    "policy",
    "request",
    "headers",
    "restart",
    "forward",
    "witness-request",
    "witness-answer",
    "registered",
    "answer",
    "forwarded",
    "report",
]


RequestId = Annotated[str, Meta(pattern="^[0-9a-z-]{8,64}$")]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]

Round = Literal["sign", "nonce", "partial"]
Outcome = Literal["signed", "nonce", "refused"]
ForwardStep = Literal["promise", "fund", "settle", "return"]


def domain(kind: Kind) -> bytes:
    """What the signature of a message of this kind covers besides its bytes."""
    return f"bes/signing/{kind}/v1".encode()


class Packet(msgspec.Struct, array_like=True, frozen=True):
    """What stands in `down/signing` and `up/signature`. `sealed` is an envelope under `domain(kind)`."""

    version: int
    kind: Kind
    sealed: bytes


class RegisterContract(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Down: a contract and its first policy, sealed by the owners that the box was provisioned with."""

    version: int = WIRE_VERSION
    request_id: RequestId
    site: str
    node: str
    terms: ContractTerms
    policy: bytes  # SpendingPolicy, sealed under POLICY_DOMAIN


class ChangePolicy(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Down: the next policy, sealed by the owners whom the policy in force names."""

    version: int = WIRE_VERSION
    request_id: RequestId
    site: str
    node: str
    contract_id: Txid
    policy: bytes


class RegistrationAnswer(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Up: to both of the above. `rule` is empty where it was taken; it is in force from `effective_height` on."""

    version: int = WIRE_VERSION
    request_id: str
    box_id: str
    contract_id: str
    policy_version: int
    effective_height: int
    rule: str = ""
    detail: str = ""
    ledger_seq: Counter = 0
    ledger_head: bytes = b""


class SigningRequest(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Down: sign this transaction by this path. All else is derived by the box from the bytes of the PSBT.

    `proposal` is the sealed `Approval` of role "proposer", `approvals` are those of the others. `family` are the txids
    that this one replaces, oldest first. A MuSig2 session takes two requests with ids of their own: round "nonce", then
    round "partial" with everybody's nonces in the PSBT. With a `message` the PSBT is a BIP-322 proof of control of the
    script of its first input, and no coin moves.
    """

    version: int = WIRE_VERSION
    request_id: RequestId
    site: str
    node: str
    contract_id: Txid
    policy_version: Whole
    path: Name
    psbt: bytes
    proposal: bytes
    approvals: Annotated[tuple[bytes, ...], Meta(max_length=200)]
    round: Round = "sign"
    family: Annotated[tuple[Txid, ...], Meta(max_length=100)] = ()
    message: Annotated[str, Meta(max_length=10_000)] | None = None
    expires_at_ms: Millis
    expires_at_height: Height


class SigningAnswer(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Up: what became of a request. `psbt` holds signatures (or nonces) of this box and nothing else new.

    `rule` and `detail` say why it was refused (docs/signing-box.md). `ledger_seq` and `ledger_head` are the box's
    ledger after the row of this decision, `height` its own header clock.
    """

    version: int = WIRE_VERSION
    request_id: str
    box_id: str
    txid: str
    outcome: Outcome
    rule: str = ""
    detail: str = ""
    psbt: bytes = b""
    ledger_seq: Counter = 0
    ledger_head: bytes = b""
    height: int = 0


class ForwardRequest(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Down: one step of a hash-rate forward. `deed` is a `ForwardDeed` sealed by the owners; the box derives every
    transaction from it.

    "promise" asks for the encrypted signatures of all settlements and a signature of the refund; "fund", with the other
    side's `adaptors` and `refund` signature, for the signature that brings our stake in; "settle", with the oracle's
    `attestation`, for the signature of the one settlement; "return" for that which takes an unused stake back.
    `proposal` and `approvals` are of the funding's txid and our stake, for the first two.
    """

    version: int = WIRE_VERSION
    request_id: RequestId
    site: str
    node: str
    contract_id: Txid
    policy_version: Whole
    step: ForwardStep
    deed: bytes
    proposal: bytes = b""
    approvals: tuple[bytes, ...] = ()
    adaptors: Annotated[tuple[Adaptor, ...], Meta(max_length=MOST_SETTLEMENTS)] = ()
    refund: bytes = b""
    attestation: bytes = b""
    expires_at_ms: Millis
    expires_at_height: Height


class ForwardAnswer(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Up: what became of a step. `txid` is that of the funding, `adaptors` and `signature` (DER without flag) what was
    asked for; a refusal has `rule` and `detail`.
    """

    version: int = WIRE_VERSION
    request_id: str
    box_id: str
    contract_id: str
    step: ForwardStep
    txid: str
    outcome: Outcome
    rule: str = ""
    detail: str = ""
    adaptors: tuple[bytes, ...] = ()
    signature: bytes = b""
    ledger_seq: Counter = 0
    ledger_head: bytes = b""
    height: int = 0


class HeadersBatch(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Down: consecutive 80-byte headers, oldest first. The box believes their work, not their sender."""

    version: int = WIRE_VERSION
    site: str
    node: str
    headers: Annotated[
        tuple[Annotated[bytes, Meta(min_length=80, max_length=80)], ...], Meta(min_length=1, max_length=2016)
    ]


class AcceptRestart(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Down, to a witness: a sealed LedgerRestart of another box."""

    version: int = WIRE_VERSION
    site: str
    node: str
    restart: bytes


class WitnessRequest(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Box to boxes: remember that my ledger stands here. `box_id` is the id of the key that seals it. A `seq` of 0 asks
    for what is remembered and adds nothing. `nonce` tells a fresh answer from an old one.
    """

    version: int = WIRE_VERSION
    box_id: str
    seq: Counter
    head: Hash
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]


class WitnessAnswer(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Box to box: the highest (seq, head) of `box_id` that was remembered before it was asked, and now; 0 is none.

    Where the asker's own rows contradict either, it was rolled back or forked, and signs no more.
    """

    version: int = WIRE_VERSION
    witness_id: str
    box_id: str
    nonce: bytes
    before_seq: Counter
    before_head: bytes
    seq: Counter
    head: bytes


class Allowance(msgspec.Struct, array_like=True, frozen=True):
    """What a contract may still spend by this box's ledger."""

    contract_id: str
    policy_version: int
    window_left_sat: Sat
    lifetime_left_sat: Sat


class UnfitContract(msgspec.Struct, array_like=True, frozen=True):
    """A registered contract that the box does not sign for, because it does not pass the checks of its release."""

    contract_id: str
    detail: str


class BoxReport(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Up, now and then: ledger head, clock, allowances. `clock_stale` says why the clock is not believed, if so."""

    version: int = WIRE_VERSION
    box_id: str
    public_keys: tuple[bytes, ...]  # compressed secp256k1, those that the keystore offers for new contracts
    ledger_seq: Counter
    ledger_head: bytes
    height: int
    median_time_s: int
    clock_stale: str = ""
    stopped: str = ""  # the rule by which the box signs nothing at all
    allowances: tuple[Allowance, ...] = ()
    unfit: tuple[UnfitContract, ...] = ()
