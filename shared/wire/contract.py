"""A registered contract: who may spend which way, and the owners' policy over it.

Everything here is hashed or signed, so a document has one form: a field more, a field less or another order of bytes is
another document. A document that holds more than this program knows is refused, because it may forbid something.
Signed documents travel sealed (`shared.crypto.signing`), each under its own domain.
"""

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.wire.codec import encode
from shared.wire.version import WIRE_VERSION

POLICY_DOMAIN = b"bes/policy/v1"
APPROVAL_DOMAIN = b"BES/approve/v1"
_CONTRACT_TAG = b"BES/contract/v1"

MOST_SAT = 21 * 10**14
HIGHEST_HEIGHT = 499_999_999
"""Above it a lock time is a date (BIP-65)."""

Sat = Annotated[int, Meta(ge=0, le=MOST_SAT)]
Height = Annotated[int, Meta(ge=0, le=HIGHEST_HEIGHT)]
Whole = Annotated[int, Meta(ge=1, le=1 << 31)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Txid = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""Lower-case hex in display order; contract ids have the same form."""
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""A public Ed25519 key."""

NetworkName = Literal["main", "testnet4", "signet", "regtest"]
PathRole = Literal["signer", "recovery", "deputy", "offline"]
KeyRole = Literal["approver", "recovery", "proposer"]
"""What a key of a policy is for; a key of any role also proposes, one of role "proposer" does nothing else."""


class Party(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One key of a contract and the person or box that holds it. `key` is a key expression of BIP-380."""

    name: Name
    person: Name
    key: Annotated[str, Meta(min_length=1, max_length=512)]
    role: PathRole


class SpendingPath(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One way to spend. `keys` are names of parties, `needed` of them sign.

    `older_blocks` is a relative lock (BIP-68), `after_height` an absolute one (BIP-65). `leaf` is the position of a
    Taproot leaf, depth first; None for a branch of a wsh script and for the key path.
    """

    name: Name
    role: PathRole
    keys: tuple[Name, ...]
    needed: Annotated[int, Meta(ge=1, le=999)]
    older_blocks: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    after_height: Annotated[int, Meta(ge=1, le=HIGHEST_HEIGHT)] | None = None
    leaf: Annotated[int, Meta(ge=0, le=1023)] | None = None


class ContractTerms(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What never changes within an epoch. `descriptor` is canonical and carries its checksum (BIP-380); no coin of the
    contract is older than `birth_height`.
    """

    network: NetworkName
    name: Name
    template: Name
    descriptor: Annotated[str, Meta(min_length=1, max_length=32_768)]
    epoch: Whole
    parties: tuple[Party, ...]
    paths: tuple[SpendingPath, ...]
    birth_height: Height
    version: Annotated[int, Meta(ge=1)] = WIRE_VERSION


class Destination(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """An address that may be paid. A box waits `cooling_blocks` from `added_at_height` or from when it learnt of it."""

    name: Name
    address: Annotated[str, Meta(min_length=1, max_length=128)]
    added_at_height: Height


class Approver(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A key by which a person proposes or approves; a person may have several keys and still counts once."""

    name: Name
    person: Name
    role: KeyRole
    public_key: Key


class Limits(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Ceilings; the fee counts as spending. A limit of 0 sat forbids. The window is counted in blocks."""

    per_tx_sat: Sat
    window_sat: Sat
    window_blocks: Whole
    lifetime_sat: Sat
    fee_sat: Sat
    fee_rate_sat_vb: Annotated[int, Meta(ge=0, le=100_000)]
    weight_wu: Annotated[int, Meta(ge=0, le=400_000)]


class SpendingPolicy(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What the owners allow. `owners_needed` of the `owners` sign the policy that replaces this one.

    Versions rise by one; a new one takes effect `cooling_blocks` of the old one after the box took it, at once where it
    only takes away (docs/signing-box.md). An empty list allows nothing. `witnesses` are the keys of the boxes that
    countersign the ledger, `witnesses_needed` of them before each signature.
    """

    contract_id: Txid
    policy_version: Whole
    approvals_needed: Annotated[int, Meta(ge=1, le=100)]
    approvers: tuple[Approver, ...]
    owners: tuple[Key, ...]
    owners_needed: Annotated[int, Meta(ge=1, le=100)]
    allow_list: tuple[Destination, ...]
    cooling_blocks: Annotated[int, Meta(ge=0, le=65_535)]
    limits: Limits
    recovery_role_people: tuple[Name, ...] = ()
    witnesses: tuple[Key, ...] = ()
    witnesses_needed: Annotated[int, Meta(ge=0, le=100)] = 0
    version: Annotated[int, Meta(ge=1)] = WIRE_VERSION


class Approval(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One person's word about one transaction, sealed under APPROVAL_DOMAIN by one key of the policy.

    With the role "proposer" it says "I propose it", and `initiator` is the person whose key seals it; a transaction has
    exactly one of these. With any other role it is a yes to it, and `initiator` is that proposer: nobody can put
    another in his place afterwards. `external_sat` is what leaves the contract without the fee. Void from
    `expiry_height` on.
    """

    contract_id: Txid
    network: NetworkName
    policy_version: Whole
    txid: Txid
    external_sat: Sat
    expiry_height: Height
    role: KeyRole
    initiator: Name
    version: Annotated[int, Meta(ge=1)] = WIRE_VERSION


def contract_id(terms: ContractTerms) -> str:
    """Tagged SHA-256 (as in BIP-340) over the canonical bytes, in hex."""
    tag = hashlib.sha256(_CONTRACT_TAG).digest()
    return hashlib.sha256(tag + tag + encode(terms)).hexdigest()
