"""What happens to a contract, as it stands in the journal: stream `contract/<contract id>`; executions have others."""

import msgspec

from controller.journal import EventCodec
from shared.wire.contract import ContractTerms, SpendingPolicy


class ContractDrafted(msgspec.Struct, frozen=True, kw_only=True):
    """Always first. The id is the hash of the terms, so that other terms are another contract.

    `parameters` is what was filled into the template, as JSON; `boxes` hold keys of it and must all register it.
    """

    contract_id: str
    terms: ContractTerms
    policy: SpendingPolicy
    parameters: str
    boxes: tuple[str, ...]
    expires_at_height: int | None = None
    succeeds: str = ""


class PolicyDrafted(msgspec.Struct, frozen=True):
    """The next policy of a contract that lives."""

    contract_id: str
    policy: SpendingPolicy


class PolicyWithdrawn(msgspec.Struct, frozen=True):
    """Too few owners had signed it, so that no box could have taken it."""

    contract_id: str
    policy_version: int
    reason: str


class OwnerApproved(msgspec.Struct, frozen=True):
    """An owner's key signed the policy, and with it the terms that its contract id names."""

    contract_id: str
    policy_version: int
    key_id: str
    sealed: bytes


class PolicySealed(msgspec.Struct, frozen=True):
    """Enough owners signed: the sealed policy that boxes take."""

    contract_id: str
    policy_version: int
    sealed: bytes


class BoxesAskedAgain(msgspec.Struct, frozen=True):
    """Boxes that have not taken the sealed policy are told once more; `attempt` counts from 1."""

    contract_id: str
    policy_version: int
    attempt: int


class BoxRegistered(msgspec.Struct, frozen=True):
    """A box wrote the policy (and with the first one the terms) into its ledger; for it it counts from a height on."""

    contract_id: str
    policy_version: int
    box_id: str
    effective_height: int
    ledger_seq: int
    ledger_head: str


class BoxRefused(msgspec.Struct, frozen=True):
    """A box does not take the contract or its policy, and why."""

    contract_id: str
    policy_version: int
    box_id: str
    rule: str
    detail: str


class ContractFunded(msgspec.Struct, frozen=True):
    """The first coin that pays the contract is in a block."""

    contract_id: str
    txid: str
    vout: int
    amount_sat: int
    height: int


class FundingLost(msgspec.Struct, frozen=True):
    """The first coin no longer lies in a block, before it lay deep: its block was reorganised away, or it was spent."""

    contract_id: str
    txid: str
    vout: int


class ContractActivated(msgspec.Struct, frozen=True):
    """Funding lies deep enough: proposals may be made."""

    contract_id: str
    height: int


class ContractExpired(msgspec.Struct, frozen=True):
    """Its deadline has passed with the contract still open: the path behind the deadline opens."""

    contract_id: str
    height: int


class ContractClosed(msgspec.Struct, frozen=True):
    """Nothing is left in it, or it never began. `successor` is the contract of the next epoch, if there is one."""

    contract_id: str
    reason: str
    successor: str = ""


AnyContractEvent = (
    ContractDrafted
    | PolicyDrafted
    | PolicyWithdrawn
    | OwnerApproved
    | PolicySealed
    | BoxesAskedAgain
    | BoxRegistered
    | BoxRefused
    | ContractFunded
    | FundingLost
    | ContractActivated
    | ContractExpired
    | ContractClosed
)

PREFIX = "contract/"

codec = EventCodec(AnyContractEvent.__args__)


def contract_stream(contract_id: str) -> str:
    return PREFIX + contract_id
